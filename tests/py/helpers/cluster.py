# SPDX-License-Identifier: Apache-2.0
"""Clusters of real processes on this machine, for tests and benchmarks.

python cluster.py CLUSTER JOB TASK     is one of their servers
"""

import contextlib
import json
import os
import socket
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import tensorflow as tf


def addresses(count):
    """Addresses of this machine that nobody listens at."""
    with contextlib.ExitStack() as sockets:
        held = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.bind(("localhost", 0))
        return [f"localhost:{one.getsockname()[1]}" for one in held]


def start(cluster, job, task):
    """Starts the server of a task."""
    return subprocess.Popen([sys.executable, __file__, json.dumps(cluster), job, str(task)])


class Cluster:
    """Servers, each a process of its own, while the context lasts.

    Args:
      **jobs: how many tasks each job has.
    """

    def __init__(self, **jobs):
        self.jobs = {job: addresses(tasks) for job, tasks in jobs.items()}
        self.servers = {}

    def __enter__(self):
        for job, tasks in self.jobs.items():
            for task in range(len(tasks)):
                self.start(job, task)
        return self

    def __exit__(self, *_):
        for server in self.servers.values():
            server.kill()

    def start(self, job, task):
        self.servers[job, task] = start(self.jobs, job, task)

    def restart(self, job, task):
        """Kills a task's server, and starts it again."""
        self.servers[job, task].kill()
        self.servers[job, task].wait()
        self.start(job, task)

    def resolver(self):
        """The cluster as its coordinator sees it."""
        return tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec({**self.jobs, "chief": addresses(1)}),
            task_type="chief",
            task_id=0,
            rpc_layer="grpc",
        )


def _serve(cluster, job, task):
    import tf_candsamp  # noqa: F401 - servers, too, need its ops

    server = tf.distribute.Server(
        tf.train.ClusterSpec(json.loads(cluster)), job_name=job, task_index=int(task)
    )
    server.join()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
