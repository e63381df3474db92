"""Names that modules and objects of those years had, and what takes their place."""

import importlib
import time
from typing import Any, Callable, Dict, NamedTuple, Tuple

from ctc_shim.patching import source_helpers


class Name(NamedTuple):
    """What takes the place of a name: made only when it is needed."""

    make: Callable[[], Any]
    how: str


def _value(value: Any, how: str) -> Name:
    return Name(lambda: value, how)


def _from(module: str, name: str) -> Name:
    return Name(
        lambda: getattr(importlib.import_module(module), name), "%s.%s is used" % (module, name)
    )


NUMPY = {
    "float": float,
    "int": int,
    "bool": bool,
    "object": object,
    "str": str,
    "complex": complex,
    "long": int,
    "unicode": str,
    "asscalar": lambda array: array.item(),
}
# Same meaning, new name.
NUMPY_RENAMED = """unicode_=str_ string_=bytes_ float_=float64 complex_=complex128 Inf=inf PINF=inf
infty=inf Infinity=inf NaN=nan int0=intp uint0=uintp bool8=bool_ object0=object_ product=prod
cumproduct=cumprod alltrue=all sometrue=any row_stack=vstack in1d=isin trapz=trapezoid
round_=round mat=asmatrix singlecomplex=complex64 cfloat=complex128 longfloat=longdouble"""
WINDOWS = "hamming hann hanning blackman kaiser gaussian bartlett triang"
LETTERS = {"letters": "ascii_letters", "lowercase": "ascii_lowercase"}
LETTERS["uppercase"] = "ascii_uppercase"
IMAGES = "ctc_shim.script_mends.scipy_images"


def _names() -> Dict[Tuple[str, str], Name]:
    names: Dict[Tuple[str, str], Name] = {}
    for name, value in NUMPY.items():
        builtin = getattr(value, "__name__", "")
        how = "array.item() is used" if name == "asscalar" else "the builtin %s is used" % builtin
        names["numpy", name] = _value(value, how)
    for pair in NUMPY_RENAMED.split():
        name, _, new = pair.partition("=")
        names["numpy", name] = _from("numpy", new)
    for name in source_helpers.abstract.__all__:
        names["collections", name] = _from("collections.abc", name)
    for name in "getargspec", "ArgSpec":
        how = "made from inspect.getfullargspec"
        names["inspect", name] = _value(getattr(source_helpers, name), how)
    names["sys", "setdefaultencoding"] = _value(lambda name: None, "Python 3's text is Unicode")
    names["time", "clock"] = _value(time.perf_counter, "time.perf_counter is used")
    names["imp", "reload"] = _from("importlib", "reload")
    for module in "scipy.misc", "scipy.ndimage":
        for name in "imread", "imsave", "imresize", "imrotate", "toimage", "fromimage":
            how = "done by Pillow"
            names[module, name] = Name(_from(IMAGES, name).make, how)
    names["scipy.misc", "logsumexp"] = _from("scipy.special", "logsumexp")
    for name in WINDOWS.split():
        new = "hann" if name == "hanning" else name
        names["scipy.signal", name] = _from("scipy.signal.windows", new)
    for name in "train_test_split", "KFold", "StratifiedKFold", "cross_val_score":
        names["sklearn.cross_validation", name] = _from("sklearn.model_selection", name)
    for name in "GridSearchCV", "RandomizedSearchCV", "ParameterGrid", "ParameterSampler":
        names["sklearn.grid_search", name] = _from("sklearn.model_selection", name)
    names["sklearn.externals", "joblib"] = Name(
        lambda: importlib.import_module("joblib"), "joblib is used"
    )
    names["PIL.Image", "ANTIALIAS"] = Name(
        lambda: importlib.import_module("PIL.Image").LANCZOS, "Image.LANCZOS is used"
    )
    for name, new in LETTERS.items():
        names["string", name] = _from("string", new)
    for name in "cpu_ctc_th", "cpu_ctc_np":
        how = "ctc_shim computes it in place of warp-ctc"
        names["ctc", name] = Name(_from("ctc_shim.script_mends.warp_ctc", name).make, how)
    return names


NAMES = _names()
# Modules that are gone, or may be: they are stood in for by the names above.
GONE = "imp scipy.misc sklearn.cross_validation sklearn.grid_search sklearn.externals ctc".split()


def is_variable(value: Any) -> bool:
    """A symbolic variable of Theano or of its successors."""
    package = type(value).__module__.split(".")[0]
    return package in ("theano", "pytensor", "aesara", "ctc_shim") and hasattr(value, "owner")


def is_shape(value: Any) -> bool:
    """The symbolic shape of a variable."""
    return is_variable(value) and type(getattr(value.owner, "op", None)).__name__ == "Shape"


def _is_dataset(value: Any) -> bool:
    return type(value).__module__.startswith("h5py.") and hasattr(value, "dtype")


def _whole(dataset: Any) -> Any:
    """dataset.value as h5py 2 gave it: text, where the file holds text of any length."""
    h5py = importlib.import_module("h5py")
    check = getattr(h5py, "check_string_dtype", None)
    text = check(dataset.dtype) if check else None
    is_text = text is not None and text.length is None
    return dataset.asstr()[()] if is_text else dataset[()]


def _append(frame: Any) -> Callable[..., Any]:
    """DataFrame.append and Series.append, which pandas 2 has not."""

    def append(other: Any, ignore_index: bool = False, **ignored: Any) -> Any:
        pandas = importlib.import_module("pandas")
        others = other if isinstance(other, list) else [other]
        return pandas.concat([frame] + others, ignore_index=ignore_index)

    return append


def _getsize(font: Any) -> Callable[..., Tuple[int, int]]:
    def getsize(text: str, *args: Any, **kwargs: Any) -> Tuple[int, int]:
        return tuple(map(int, font.getbbox(text, *args, **kwargs)[2:]))  # type: ignore[return-value]

    return getsize


class Dimension(int):
    """A length with TensorFlow's .value; None where it is not known is None itself."""

    @property
    def value(self) -> int:
        return int(self)


class Shape(tuple):  # type: ignore[type-arg]
    """What x.get_shape() gives: TensorFlow's as_list(), ndims, and lengths with .value."""

    ndims = property(len)

    def as_list(self) -> Any:
        return [None if length is None else int(length) for length in self]


def shape_of(variable: Any) -> Shape:
    """The shape that Keras or Theano knows, None for a length that varies."""
    known = getattr(variable, "_keras_shape", None)
    if known is None:
        known = getattr(variable.type, "shape", None) or (None,) * variable.ndim
    return Shape(Dimension(n) if n is not None else None for n in known)


# (attribute, what it is called in the message, whose it is, what takes its place, how)
METHODS = (
    ("value", "h5py's dataset.value", _is_dataset, _whole, "dataset[()] is used"),
    (
        "get_shape",
        "x.get_shape()",
        is_variable,
        lambda x: lambda: shape_of(x),
        "the shape that Keras knows",
    ),
    (
        "decode",
        "str.decode",
        lambda x: isinstance(x, str),
        lambda text: lambda *_, **__: text,
        "h5py 3 gives text already",
    ),
    (
        "tostring",
        "array.tostring",
        lambda x: hasattr(x, "tobytes"),
        lambda array: array.tobytes,
        "array.tobytes is used",
    ),
    (
        "as_list",
        "x.shape.as_list()",
        is_shape,
        lambda shape: shape_of(shape.owner.inputs[0]).as_list,
        "the shape that Keras knows",
    ),
    (
        "append",
        "DataFrame.append",
        lambda x: type(x).__module__.split(".")[0] == "pandas",
        _append,
        "pandas.concat is used",
    ),
    ("getsize", "font.getsize", lambda x: hasattr(x, "getbbox"), _getsize, "font.getbbox is used"),
)
