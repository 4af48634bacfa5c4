# SPDX-License-Identifier: Apache-2.0
"""The launchers, as Python calls them: c_interface.cc by ctypes."""

import ctypes

import numpy as np

KINDS = ("uniform", "log_uniform", "fixed_unigram", "learned_unigram")

_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64


def _pointer(array):
    """Of a tensor's or a NumPy array's memory, or None."""
    if array is None:
        return None
    return array.data_ptr() if hasattr(array, "data_ptr") else array.ctypes.data


# Of inputs and tables, in the order of candsamp_sampled_new.
TYPES = ("float32", "float64", "bfloat16", "float16", "bfloat16 of float32")


class SampledCase(ctypes.Structure):
    """CandsampSampledCase of sampled_interface.cc."""

    _fields_ = (
        [(name, _LONG) for name in ("rows", "depth", "num_sampled", "num_classes")]
        + [(name, _POINTER) for name in ("inputs", "weights", "biases", "candidates", "labels")]
        + [(name, _POINTER) for name in ("label_log_q", "sample_offsets", "grad")]
        + [(name, _POINTER) for name in ("loss", "inputs_grad", "rows_grad", "biases_grad")]
        + [("class_ids", _POINTER)]
        + [(name, _LONG) for name in ("logit_panel", "gradient_panel", "scratch_bytes")]
        + [(name, ctypes.c_int32) for name in ("nce", "recompute", "tf32", "slopes_are_scratch")]
    )


class RaggedCase(ctypes.Structure):
    """CandsampRaggedCase of ragged_interface.cc."""

    _fields_ = (
        [(name, _LONG) for name in ("rows", "depth", "num_candidates", "num_classes", "num_chunks")]
        + [(name, _POINTER) for name in ("inputs", "weights", "biases", "labels", "label_splits")]
        + [(name, _POINTER) for name in ("candidates", "candidate_splits", "first_chunks", "grad")]
        + [(name, _POINTER) for name in ("loss", "inputs_grad", "rows_grad", "biases_grad")]
        + [("class_ids", _POINTER), ("most_classes", _LONG), ("scratch_bytes", _LONG)]
        + [("nce", ctypes.c_int32)]
    )


CHUNK = 32  # kChunk of cc/cuda/losses/ragged_rows.h


class Library:
    def __init__(self, path):
        self._c = ctypes.CDLL(str(path))
        self._c.candsamp_error_text.restype = ctypes.c_char_p
        self._c.candsamp_run.argtypes = [_POINTER, _POINTER]
        self._c.candsamp_graph_run.argtypes = [_POINTER, _POINTER]
        self._c.candsamp_call_bytes.restype = _LONG
        self._c.candsamp_call_bytes.argtypes = [_POINTER]
        for name in ("distribution", "call", "graph"):
            getattr(self._c, f"candsamp_{name}_free").argtypes = [_POINTER]

    def need(self, error):
        if error != 0:
            raise RuntimeError(self._c.candsamp_error_text(error).decode())

    def make(self, name, types, *arguments):
        """What candsamp_NAME_new makes."""
        new = getattr(self._c, f"candsamp_{name}_new")
        new.restype = _POINTER
        new.argtypes = [*types, ctypes.POINTER(_INT)]
        error = _INT(0)
        made = new(*arguments, ctypes.byref(error))
        self.need(error.value)
        return made

    def versions(self):
        """CUDA's, of the driver and of the runtime that is linked."""
        driver, runtime = _INT(0), _INT(0)
        self.need(self._c.candsamp_versions(ctypes.byref(driver), ctypes.byref(runtime)))
        return [f"{v.value // 1000}.{v.value % 1000 // 10}" for v in (driver, runtime)]

    def distribution(self, kind, classes, weights=None, counts=None):
        return Distribution(self, kind, classes, weights, counts)

    def hits(self, true_classes, candidates, rows, positions, weights):
        types = [_POINTER, _LONG, _LONG, _POINTER, _LONG, _LONG, _POINTER, _POINTER, _POINTER]
        arguments = [_pointer(true_classes), true_classes.numel(), true_classes.shape[1]]
        arguments += [_pointer(candidates), candidates.numel(), rows.numel()]
        arguments += [_pointer(rows), _pointer(positions), _pointer(weights)]
        return Call(self, "hits", types, *arguments)

    def sampled_step(self, type, **fields):
        """A dense loss, forward and backward. `fields`: SampledCase's, tensors or numbers."""
        return self._step("sampled", SampledCase, type, fields)

    def ragged_step(self, type, **fields):
        """The same for a ragged loss and RaggedCase."""
        return self._step("ragged", RaggedCase, type, fields)

    def _step(self, name, structure, type, fields):
        case = structure(
            **{k: _pointer(v) if hasattr(v, "data_ptr") else v for k, v in fields.items()}
        )
        types = [_INT, ctypes.POINTER(structure)]
        call = Call(self, name, types, TYPES.index(type), ctypes.byref(case))
        return call.keep(fields)

    def update(self, table, momentum, velocity, ids, gradients, scratch_bytes):
        """A step of Adam on some rows of a table or, where velocity is None, of Adagrad."""
        types = [_POINTER] * 3 + [_LONG] * 2 + [_POINTER, _LONG, _POINTER, _LONG]
        arguments = [_pointer(table), _pointer(momentum), _pointer(velocity), *table.shape]
        arguments += [_pointer(ids), ids.numel(), _pointer(gradients), scratch_bytes]
        call = Call(self, "update", types, *arguments)
        return call.keep(table, momentum, velocity, ids, gradients)

    def empty(self, together):
        return Call(self, "empty", [_INT], int(together))


class Distribution:
    """In the device's memory. weights: float32; counts: int64; both are NumPy arrays."""

    def __init__(self, library, kind, classes, weights, counts):
        self.kind = kind
        self.classes = classes
        self._library = library
        for array, dtype in ((weights, np.float32), (counts, np.int64)):
            assert array is None or (array.dtype == dtype and array.shape == (classes,))
        types = [_INT, _LONG, _POINTER, _POINTER]
        arguments = [KINDS.index(kind), classes, _pointer(weights), _pointer(counts)]
        self.handle = library.make("distribution", types, *arguments)

    def __del__(self):
        if hasattr(self, "handle"):
            self._library._c.candsamp_distribution_free(self.handle)

    def batch(self, size, unique, true_class, candidates, sampled_count, true_count, exact=False):
        """candidates and sampled_count: [sets, size], written set by set in turn."""
        types = [_POINTER, _LONG, _INT, _INT, _POINTER, _LONG, _POINTER, _POINTER, _POINTER]
        arguments = [self.handle, size, int(unique), int(exact), _pointer(true_class)]
        arguments += [candidates.shape[0], _pointer(candidates), _pointer(sampled_count)]
        call = Call(self._library, "batch", types, *arguments, _pointer(true_count))
        return call.keep(self, true_class, candidates, sampled_count, true_count)

    def rows(self, unique, splits, candidates, expected_count):
        """candidates and expected_count: [rows, size]."""
        rows, size = candidates.shape
        types = [_POINTER, _LONG, _LONG, _INT, _INT] + [_POINTER] * 5
        arguments = [self.handle, rows, size, int(unique), 0, _pointer(splits), None, None]
        call = Call(
            self._library, "rows", types, *arguments, _pointer(candidates), _pointer(expected_count)
        )
        return call.keep(self, splits, candidates, expected_count)

    def count(self, classes):
        arguments = [self.handle, _pointer(classes), classes.numel()]
        call = Call(self._library, "count", [_POINTER, _POINTER, _LONG], *arguments)
        return call.keep(self, classes)

    def arithmetic(self, draws):
        call = Call(self._library, "arithmetic", [_POINTER, _LONG], self.handle, draws)
        return call.keep(self)


class Call:
    """Launches the same thing again and again: call(stream)."""

    def __init__(self, library, name, types, *arguments):
        self._library = library
        self._run = library._c.candsamp_run
        self._kept = ()
        self.handle = library.make(name, types, *arguments)

    def keep(self, *kept):
        self._kept = kept  # as long as this lives
        return self

    def __del__(self):
        if hasattr(self, "handle"):
            self._library._c.candsamp_call_free(self.handle)

    def __call__(self, stream):
        error = self._run(self.handle, stream)
        if error:
            self._library.need(error)

    @property
    def bytes(self):
        """Of memory that runs have used beside their inputs, where the call counts them; else 0."""
        return self._library._c.candsamp_call_bytes(self.handle)

    def graph(self, runs):
        return Graph(self, runs)


class Graph:
    """Some runs of a call, captured. Raises RuntimeError where it cannot be."""

    def __init__(self, call, runs):
        self._library = call._library
        self._call = call
        self.handle = self._library.make("graph", [_POINTER, _INT], call.handle, runs)

    def __del__(self):
        if hasattr(self, "handle"):
            self._library._c.candsamp_graph_free(self.handle)

    def __call__(self, stream):
        error = self._library._c.candsamp_graph_run(self.handle, stream)
        if error:
            self._library.need(error)
