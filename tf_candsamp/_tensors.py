"""Dense arguments as tensors, and what may be class ids, whatever form the user has them in."""

import warnings

import numpy as np
import tensorflow as tf

RAGGED = (tf.RaggedTensor, tf.compat.v1.ragged.RaggedTensorValue)
SPARSE = (tf.SparseTensor, tf.compat.v1.SparseTensorValue)


def to_tensor(name, value, dtype=None):
    """The dense argument `name` as a tensor.

    It is of the type `dtype` if the value has no type of its own, as lists, and that type can hold
    it.
    """
    check_dense(name, value)
    value = without_objects(value)
    try:
        return tf.convert_to_tensor(value, dtype_hint=None if hasattr(value, "dtype") else dtype)
    except (TypeError, ValueError, OverflowError, tf.errors.InvalidArgumentError) as error:
        raise TypeError(f"{name} must be a tensor or convertible to one: {error}") from None


def array_or_tensor(name, value, dtype=None):
    """As `to_tensor`, but a NumPy array if no part of the value is a tensor.

    Arrays can be cast and joined before they are constants of a graph, and lists of bools stay that
    if they are given no type.
    """
    check_dense(name, value)
    value = without_objects(value)
    if not tf.is_tensor(value):
        try:
            array = np.asarray(value)
        except (NotImplementedError, TypeError, ValueError):  # symbolic tensors; uneven rows
            return to_tensor(name, value, dtype)
        if dtype is not None and not hasattr(value, "dtype") and array.dtype.kind in "iu":
            array = array.astype(dtype.as_numpy_dtype)
        if array.dtype.kind in "biufcV":  # V: bfloat16
            return array
    return to_tensor(name, value, dtype)


def check_dense(name, value):
    """Refuses what is no dense tensor and names the way to one."""
    if isinstance(value, tf.RaggedTensor):
        cure = f"{name}.flat_values, or {name}.to_tensor() where its rows have one length"
    elif isinstance(value, RAGGED):
        cure = f"{name}.flat_values"
    elif isinstance(value, SPARSE):
        cure = f"{name}.values or tf.sparse.to_dense({name})"
    else:
        return
    raise TypeError(f"{name} must be a dense tensor, got a {type(value).__name__}: use {cure}.")


def without_objects(value):
    """An array of Python objects, also pandas', as a list of them; other values as they are."""
    if getattr(getattr(value, "dtype", None), "kind", None) == "O":
        return np.asarray(value).tolist()
    return value


def class_ids(name, ids, *, floats=False):
    """An int64 tensor of class ids, from integers of any type; see `as_class_ids`."""
    return to_tensor(name, as_class_ids(name, array_or_tensor(name, ids), floats=floats))


def as_class_ids(name, ids, *, floats=False):
    """A tensor or array as int64, if its type may be that of class ids.

    Floats may where they are labels, as for tf.nn, and where there are none of them: an empty list
    is of type float32.
    """
    dtype = tf.as_dtype(ids.dtype)
    if dtype == tf.int64:
        return ids
    if dtype.is_floating and not floats:
        floats = tf.TensorShape(ids.shape).num_elements() == 0
    if not (dtype.is_integer or (floats and dtype.is_floating)):
        types = "an integer or float type" if floats else "an integer type"
        raise TypeError(f"{name} must be of {types}, got {dtype.name}.")
    return cast(ids, tf.int64)


# Below these all integers are numbers of the type.
_EXACT_BELOW = {"bfloat16": 2**8, "float16": 2**11, "float32": 2**24}


def warn_of_rounded_labels(labels, num_classes):
    """Says that labels of a float type, as given by the user, cannot name all classes."""
    dtype = getattr(labels, "dtype", None)
    name = getattr(dtype, "name", None)
    if num_classes is not None and num_classes > _EXACT_BELOW.get(name, num_classes):
        warnings.warn(
            f"labels are of type {name}, which does not hold all ids of {num_classes} classes "
            "exactly, so some name another class: pass integers. (Under a mixed-precision policy "
            "Keras casts float labels of a layer unless it has autocast=False.)",
            stacklevel=5,
        )


def cast(values, dtype):
    """`tf.cast`, but an array stays one."""
    if not isinstance(values, np.ndarray):
        return tf.cast(values, dtype)
    with np.errstate(invalid="ignore"):  # of numbers that are no class ids, which the op refuses
        return values.astype(dtype.as_numpy_dtype)
