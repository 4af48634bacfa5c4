# SPDX-License-Identifier: Apache-2.0
"""A tf.data service: a dispatcher and a worker, in a process that holds the package's library.

It prints the dispatcher's address, and serves until its input ends.
"""

import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import tensorflow as tf

import tf_candsamp  # noqa: F401 - the worker runs its ops


def main():
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer()
    address = dispatcher.target.partition("://")[2]
    worker = service.WorkerServer(service.WorkerConfig(dispatcher_address=address))
    print(dispatcher.target, flush=True)
    sys.stdin.read()
    del worker


if __name__ == "__main__":
    main()
