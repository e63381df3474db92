"""The contract of every CTC function: its arguments and their checks.

Every frontend turns its arguments into a `Batch` by `check_batch` (or `check_scores`, for decoders)
and its keywords into `Options`, so that every kind of array is checked alike. The values of lengths
and labels are checked by the kernels, and by `reference.validation`.
"""

from typing import Any, Callable, NamedTuple, Sequence, Tuple

import numpy as np

from ctc_shim.input_errors import BLANK, LARGEST, ROWS, SIZE, raise_report

POLICIES = ("inf", "zero", "raise", "tensorflow")
RAISING = POLICIES[2:]  # those that make an infeasible target an error
FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = tuple(sign + "int" + bits for sign in ("", "u") for bits in ("8", "16", "32", "64"))


class Options(NamedTuple):
    """How a batch is to be read; the fields are keyword arguments of `ctc_shim.ctc_loss`."""

    blank: int = 0
    normalize: bool = True
    infeasible: str = "inf"
    time_major: bool = False


class DecodeOptions(NamedTuple):
    """How a batch is to be decoded. A beam width of 0 means the best path."""

    blank: int = 0
    normalize: bool = True
    time_major: bool = False
    beam_width: int = 0
    top_paths: int = 1
    merge_repeated: bool = True
    exact: bool = False
    spans: bool = False  # the frames of the first hypothesis' labels as well


class Batch(NamedTuple):
    """The four arguments of a CTC loss, arrays or variables of one library."""

    logits: Any  # (N, T, C), or (T, N, C) with Options.time_major
    targets: Any  # (N, S)
    input_lengths: Any  # (N,)
    target_lengths: Any  # (N,)


AXES = {"logits": 3, "targets": 2, "input_lengths": 1, "target_lengths": 1}


# ---- keyword arguments


def check_options(blank: int, normalize: bool, infeasible: str, time_major: bool) -> Options:
    """The keyword arguments of a loss, checked; TypeError or ValueError."""
    check_policy(infeasible)
    if not (type(blank) is int and type(normalize) is type(time_major) is bool):
        normalize = check_flag("normalize", normalize)
        time_major = check_flag("time_major", time_major)
        blank = check_blank(blank)
    return Options(blank, normalize, infeasible, time_major)


def check_policy(infeasible: str) -> int:
    """The index of a policy in POLICIES; ValueError for a name that is not there."""
    if infeasible not in POLICIES:
        known = ", ".join(map(repr, POLICIES))
        raise ValueError("infeasible must be one of %s, got %r" % (known, infeasible))
    return POLICIES.index(infeasible)


def check_flag(name: str, value: Any) -> bool:
    """`value` as a bool; TypeError for anything but True, False, 1 and 0."""
    if not isinstance(value, (bool, np.bool_)) and not (is_whole(value) and value in (0, 1)):
        raise TypeError("%s must be True or False, got %r" % (name, value))
    return bool(value)


def check_blank(blank: Any) -> int:
    """`blank` as a plain int; TypeError for anything that is not a whole number."""
    if not is_whole(blank):
        raise TypeError(
            "blank must be a whole number (negative counts from the last class), got %r" % (blank,)
        )
    return int(blank)


def is_whole(value: Any) -> bool:
    """Is it one whole number, of whatever type (but no truth value)?"""
    if isinstance(value, (bool, np.bool_, str, bytes)):
        return False
    try:
        return bool(int(value) == value)
    except (TypeError, ValueError, OverflowError):
        return False


def check_count(name: str, value: Any) -> int:
    """`value` as an int from 1 on."""
    if not is_whole(value) or value < 1:
        raise ValueError("%s must be a whole number from 1 on, got %r" % (name, value))
    return int(value)


def resolve_blank(blank: Any, classes: int) -> int:
    """The index of the blank class in 0 .. C - 1; negative values count from the end."""
    blank = check_blank(blank)
    if not -classes <= blank < classes:
        raise_report((BLANK, 0, classes, blank))
    return blank % classes


# ---- arrays and variables


def check_batch(
    convert: Callable[[str, Any], Any], batch: Batch, time_major: bool, shape_is_known: bool = True
) -> Batch:
    """The four arguments as arrays of one library: axes, dtypes, classes and numbers of rows.

    Parameters
    ----------
    convert : callable
        (name, value) -> an array or variable with `ndim`, `dtype` and, when it is known, `shape`.
    batch : Batch
    time_major : bool
    shape_is_known : bool
        False for symbolic variables, whose shapes are checked while running.

    Raises
    ------
    TypeError, ValueError, CTCInputError
    """
    arrays = [check_array(name, convert(name, value)) for name, value in zip(batch._fields, batch)]
    if shape_is_known:
        check_shape(arrays[0].shape)
        check_rows(arrays[0].shape[1 if time_major else 0], *arrays[1:])
    return Batch(*arrays)


def check_scores(
    convert: Callable[[str, Any], Any],
    logits: Any,
    input_lengths: Any,
    time_major: bool,
    shape_is_known: bool = True,
) -> Tuple[Any, Any]:
    """The two arguments of a decoder, as `check_batch` checks them."""
    logits = check_array("logits", convert("logits", logits))
    lengths = check_array("input_lengths", convert("input_lengths", input_lengths))
    if shape_is_known:
        check_shape(logits.shape)
        check_rows(logits.shape[1 if time_major else 0], None, lengths)
    return logits, lengths


def check_array(name: str, value: Any) -> Any:
    """`value`, an array or variable of any library, when axes and dtype are those of `name`."""
    check_axes(name, value, AXES[name])
    dtype = dtype_name(value)
    if name == "logits" and dtype not in FLOATS:
        raise TypeError("logits must be floating-point (%s), got %s" % (_listed(FLOATS), dtype))
    if name != "logits" and dtype not in INTEGERS:
        raise TypeError("%s must be integers, got %s" % (name, dtype))
    return value


def dtype_name(value: Any) -> str:
    """ "float32" for an array or variable of any library."""
    dtype = value.dtype
    if isinstance(dtype, np.dtype):
        return _NAMES.get(dtype) or dtype.name
    return str(getattr(dtype, "name", dtype)).rpartition(".")[2]


# numpy puts a name together each time it is asked
_NAMES = {np.dtype(name): name for name in FLOATS + INTEGERS if name != "bfloat16"}


def check_axes(name: str, value: Any, ndim: int) -> Any:
    """`value`, an array or a symbolic variable, when it has so many axes; ValueError otherwise."""
    if value.ndim != ndim:
        shape = getattr(value, "shape", None)
        shown = " (shape %r)" % (tuple(shape),) if isinstance(shape, tuple) else ""
        axes = "axis" if ndim == 1 else "axes"
        raise ValueError("%s must have %d %s, got %d%s" % (name, ndim, axes, value.ndim, shown))
    return value


def check_shape(shape: Sequence[int]) -> None:
    """ValueError for frames without classes; CTCInputError for more than a label can tell apart."""
    if shape[2] == 0 and shape[0] > 0 and shape[1] > 0:
        raise ValueError("logits must have at least one class, got shape %r" % (tuple(shape),))
    if isinstance(shape[2], int) and shape[2] > LARGEST:  # JAX may know no number yet
        raise_report((SIZE, 1, LARGEST, shape[2]))


def check_rows(count: int, *arrays: Any) -> None:
    """CTCInputError unless targets, input_lengths, target_lengths, upstream have `count` rows."""
    check_counts(count, *[count if array is None else array.shape[0] for array in arrays])


def check_upstream(count: int, upstream: Any) -> None:
    """The same of `upstream` alone."""
    check_counts(count, *[count] * 3, upstream.shape[0])


def check_counts(count: int, *counts: int) -> None:
    """As `check_rows`, of arrays with these numbers of rows."""
    for which, given in enumerate(counts):
        if given != count:
            raise_report((ROWS, which, given, count))


def as_numpy(name: str, value: Any) -> np.ndarray:
    """An argument as a numpy array, lists and array subclasses among them.

    Raises
    ------
    ValueError
        A masked array with masked entries, or rows of different lengths.
    """
    if isinstance(value, np.ma.MaskedArray):
        masked = int(np.ma.getmaskarray(value).sum())
        if masked:
            raise ValueError(
                "%s is a masked array with %d masked entries: masks are not read. Pad with any "
                "value, and tell what counts by input_lengths and target_lengths" % (name, masked)
            )
        value = value.data
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None, dtype=object)
    if array.dtype == object:
        raise ValueError(
            "%s must be a rectangular array of numbers, got rows of different lengths or other "
            "objects: pad the rows to one width, and tell what counts by input_lengths and "
            "target_lengths" % name
        )
    if name != "logits" and not array.size and array.dtype.kind == "f":
        return array.astype(np.int64)  # np.asarray([]) is float64
    return array


def as_kernel_array(name: str, value: Any) -> np.ndarray:
    """An argument as the CPU kernel takes it: logits of float32 or float64, int64 integers."""
    array = check_array(name, as_numpy(name, value))
    if name == "logits":
        check_shape(array.shape)  # before a copy is made
        return array.astype(np.float64 if array.dtype.itemsize > 4 else np.float32, copy=False)
    if array.dtype == np.uint64:
        array = np.minimum(array, np.uint64(2**63 - 1))  # too large stays too large
    return array.astype(np.int64, copy=False)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1]
