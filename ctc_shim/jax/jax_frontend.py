"""CTC of JAX arrays: what the public functions do with them.

The loss is a custom call with derivatives. Alignment, posteriors and decoding run on the host: at
once for concrete arrays, as a callback of fixed shape within traced code. JAX is imported inside
functions.
"""

from typing import Any, Callable, List, Sequence, Tuple

import numpy as np

from ctc_shim import contract
from ctc_shim.contract import Batch, DecodeOptions, Options
from ctc_shim.jax import derivatives
from ctc_shim.native import numpy_frontend
from ctc_shim.native.best_path import Alignment
from ctc_shim.reference.validation import validate


def ctc_loss(batch: Batch, options: Options) -> Any:
    arrays, traceable = _checked(batch, options)
    return derivatives.functions(traceable)[0](*arrays)


def ctc_loss_and_gradient(batch: Batch, options: Options) -> Any:
    arrays, traceable = _checked(batch, options)
    return derivatives.functions(traceable)[1](*arrays)


def ctc_align(batch: Batch, options: Options) -> Alignment:
    arrays = contract.check_batch(convert, batch, options.time_major)
    logits = _wide(arrays.logits)
    (N, T), (_, S) = _rows_and_frames(logits, options.time_major), arrays.targets.shape

    def on_host(*arrays: np.ndarray) -> Alignment:
        return numpy_frontend.ctc_align(Batch(*arrays), options)

    return Alignment(*_called(on_host, _alignment_like(N, T, S, logits), logits, *arrays[1:]))


def _alignment_like(N: int, T: int, S: int, logits: Any) -> List[Any]:
    shapes = [_like((N, T)), _like((N,), logits.dtype)] + [_like((N, S))] * 2
    return shapes + [_like((N, S), logits.dtype)] * 2


def ctc_posteriors(batch: Batch, options: Options) -> Any:
    arrays = contract.check_batch(convert, batch, options.time_major)
    logits = _wide(arrays.logits)

    def on_host(*arrays: np.ndarray) -> Tuple[np.ndarray]:
        return (numpy_frontend.ctc_posteriors(Batch(*arrays), options),)

    return _called(on_host, [_like(logits.shape, logits.dtype)], logits, *arrays[1:])[0]


def ctc_decode(logits: Any, input_lengths: Any, options: DecodeOptions) -> Tuple[Any, ...]:
    """Labels are padded to all T frames: shapes are fixed."""
    checked = contract.check_scores(convert, logits, input_lengths, options.time_major)
    logits, lengths = _wide(checked[0]), checked[1]
    N, T = _rows_and_frames(logits, options.time_major)
    shape = (N, options.top_paths)
    shapes = [_like(shape + (T,)), _like(shape, logits.dtype)]
    if options.spans:
        shapes += _alignment_like(N, T, T, logits)

    def on_host(logits: np.ndarray, lengths: np.ndarray) -> Tuple[np.ndarray, ...]:
        labels, log_probs, *spans = numpy_frontend.ctc_decode(logits, lengths, options)
        found = [_padded(labels, T, -1), log_probs]
        for path, score, *of_labels in spans:
            nothing = -1, -1, -np.inf, 0
            found += [path, score] + [_padded(a, T, v) for a, v in zip(of_labels, nothing)]
        return tuple(found)

    labels, log_probs, *fields = _called(on_host, shapes, logits, lengths)
    return (labels, log_probs) + ((Alignment(*fields),) if options.spans else ())


def _padded(array: np.ndarray, width: int, value: float) -> np.ndarray:
    """`array` with so many columns."""
    widths = [(0, 0)] * (array.ndim - 1) + [(0, width - array.shape[-1])]
    return np.pad(array, widths, mode="constant", constant_values=value)


def _checked(batch: Batch, options: Options) -> Tuple[Batch, Options]:
    """The arrays, and the options with a blank and a policy that traced code can follow."""
    arrays = contract.check_batch(convert, batch, options.time_major)
    T, C = arrays.logits.shape[0 if options.time_major else 1], arrays.logits.shape[2]
    blank = contract.resolve_blank(options.blank, C) if C else 0
    policy = options.infeasible
    if policy in contract.RAISING:
        if _is_traced(batch[1:]):
            raise ValueError(
                "infeasible=%r cannot raise from code that JAX traces: choose 'inf' or 'zero', or "
                "call ctc_loss where targets and lengths are concrete (closed over, not arguments "
                "of the jitted function)" % policy
            )
        named = list(zip(batch._fields, batch))[1:]
        targets, frames, counts = [contract.as_kernel_array(*pair) for pair in named]
        validate(T, C, targets, frames, counts, blank, policy)
        policy = "inf"
    return arrays, options._replace(blank=blank, infeasible=policy)


def convert(name: str, value: Any) -> Any:
    """A JAX array; integers of int32 or int64, in which no wrong number becomes a right one."""
    import jax
    import jax.numpy as jnp

    if not isinstance(value, jax.Array):
        value = contract.as_numpy(name, value)
        if name != "logits" and value.dtype.kind in "iu":
            limits = np.iinfo(jax.dtypes.canonicalize_dtype(np.int64))
            low = 0 if value.dtype.kind == "u" else limits.min
            value = np.clip(
                value, low, limits.max
            )  # without 64 bits JAX would take 2**32 + 1 for 1
        value = jnp.asarray(value)
    if jnp.issubdtype(value.dtype, jnp.integer) and value.dtype not in (jnp.int32, jnp.int64):
        value = value.astype(jnp.int32)
    return value


def _is_traced(arrays: Sequence[Any]) -> bool:
    import jax

    return any(isinstance(array, jax.core.Tracer) for array in arrays)


def _wide(logits: Any) -> Any:
    """The logits in a precision that the kernel knows."""
    import jax.numpy as jnp

    return logits if logits.dtype == jnp.float64 else logits.astype(jnp.float32)


def _rows_and_frames(logits: Any, time_major: bool) -> Tuple[int, int]:
    return (logits.shape[1], logits.shape[0]) if time_major else logits.shape[:2]


def _like(shape: Sequence[int], dtype: Any = np.int64) -> Any:
    import jax

    return jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(dtype))


def _called(function: Callable[..., Any], shapes: List[Any], *arrays: Any) -> Any:
    """The results of a function of numpy arrays; traced code gets its errors from JAX."""
    import jax
    import jax.numpy as jnp

    def on_host(*arrays: Any) -> Tuple[np.ndarray, ...]:
        results = function(*map(np.asarray, arrays))
        return tuple(np.asarray(result, dtype=s.dtype) for result, s in zip(results, shapes))

    if not _is_traced(arrays):
        return tuple(map(jnp.asarray, on_host(*arrays)))
    return jax.pure_callback(on_host, tuple(shapes), *arrays, vmap_method="sequential")
