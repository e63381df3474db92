"""One call of the library for CPUs on host arrays: the structs of csrc/ctc_shim.h filled."""

import ctypes
import functools
from typing import Any, Optional, Tuple

import numpy as np

from ctc_shim import contract
from ctc_shim.native import interface, load

TYPES = {"f": interface.TYPE_F32, "d": interface.TYPE_F64}  # by numpy's one-letter codes
Ints = Tuple[int, ...]
Report = Tuple[int, int, int, int]  # kind, n and two numbers; see input_errors.describe
FINE = 0, 0, 0, 0


def loss(
    library: Any,
    batch: contract.Batch,
    options: contract.Options,
    loss: np.ndarray,
    gradient: Optional[np.ndarray] = None,
    *,
    posteriors: bool = False,
    upstream: Optional[np.ndarray] = None,
    threads: int = 0,
    epsilon: Optional[float] = None,
) -> Report:
    """Write the loss of each sequence, and the gradient where an array for it is given.

    Parameters
    ----------
    library : ctypes.CDLL
        From `load.kernel`.
    batch : Batch
        logits (N, T, C) of float32 or float64; int64 targets (N, S), input_lengths (N,) and
        target_lengths (N,). Any strides.
    options : Options
        If time_major, logits and gradient are (T, N, C).
    loss : (N,) array of the logits' dtype, written
    gradient : array shaped as the logits, contiguous along C, written; None: the loss alone
    posteriors : bool
        Write posteriors in place of the gradient.
    upstream : (N,) array of the logits' dtype, optional
        Multiplies the gradient of each sequence.
    threads : int
        At most so many; 0: see `thread_count`.
    epsilon : float, at least 0, optional
        The logits are probabilities p: scores are ln(p + epsilon), the gradient is that by p.
    """
    given = _call_of(batch, options)
    given.threads = threads
    given.loss = address(loss)
    if gradient is not None:
        n, t = (1, 0) if options.time_major else (0, 1)
        given.gradient, strides = address(gradient), gradient.strides
        given.gradient_stride_n, given.gradient_stride_t = strides[n], strides[t]
    if posteriors:
        given.mode = interface.MODE_POSTERIORS
    if upstream is not None:
        given.upstream, given.upstream_stride = address(upstream), upstream.strides[0]
    if epsilon is not None:
        given.input, given.epsilon = interface.INPUT_PROBABILITIES, epsilon
    return called(library, "ctc_shim_loss", given)


def align(
    library: Any, batch: contract.Batch, blank: int, threads: int = 0
) -> Tuple[np.ndarray, Report]:
    """The states (N, T) int64 of the most likely paths, as `viterbi.best_states` has them.

    Parameters
    ----------
    library, batch, threads
        As in `loss`.
    """
    states = np.empty(batch.logits.shape[:2], dtype=np.int64)
    given = _call_of(batch, contract.Options(blank))
    given.threads, given.states = threads, address(states)
    return states, called(library, "ctc_shim_align", given)


def _call_of(batch: contract.Batch, options: contract.Options) -> interface.Call:
    logits, targets, input_lengths, target_lengths = batch
    given = interface.Call.from_buffer_copy(
        described(
            TYPES[logits.dtype.char],
            True,
            logits.shape,
            logits.strides,
            targets.shape,
            targets.strides,
            input_lengths.shape,
            input_lengths.strides,
            target_lengths.shape,
            target_lengths.strides,
            options,
        )
    )
    given.logits = address(logits)
    given.targets = address(targets)
    given.input_lengths = address(input_lengths)
    given.target_lengths = address(target_lengths)
    return given


@functools.lru_cache(256)
def described(
    kind: int,
    in_bytes: bool,
    shape: Ints,
    strides: Ints,
    targets: Ints,
    targets_strides: Ints,
    input_lengths: Ints,
    input_lengths_strides: Ints,
    target_lengths: Ints,
    target_lengths_strides: Ints,
    options: contract.Options,
) -> interface.Call:
    """The struct without addresses: what batches of these shapes and strides share.

    Its gradient is contiguous, as the logits would be.

    Parameters
    ----------
    kind : int
        TYPE_F32 or TYPE_F64.
    in_bytes : bool
        Are strides bytes? Otherwise numbers of entries.
    shape, strides, ..., target_lengths, target_lengths_strides
        Of the four arrays.
    options : Options

    Raises
    ------
    CTCInputError
        The arrays do not have the same number of rows.
    """
    size = 4 if kind == interface.TYPE_F32 else 8
    item, integer = (1, 1) if in_bytes else (size, 8)
    n, t = (1, 0) if options.time_major else (0, 1)
    dense = size * shape[2] * shape[1], size * shape[2]
    rows = targets[0], input_lengths[0], target_lengths[0]
    contract.check_counts(shape[n], *rows)
    return interface.Call(
        type=kind,
        logits_stride_n=strides[n] * item,
        logits_stride_t=strides[t] * item,
        logits_stride_c=strides[2] * item,
        N=shape[n],
        T=shape[t],
        C=shape[2],
        S=targets[1],
        targets_stride_n=targets_strides[0] * integer,
        targets_stride_s=targets_strides[1] * integer,
        input_lengths_stride=input_lengths_strides[0] * integer,
        target_lengths_stride=target_lengths_strides[0] * integer,
        blank=int(options.blank),
        normalize=int(options.normalize),
        policy=contract.check_policy(options.infeasible),
        gradient_stride_n=dense[n],
        gradient_stride_t=dense[t],
        python=ctypes.addressof(_PYTHON),
    )


def address(array: Any) -> int:
    """Where the entries of an array begin. `array.ctypes` takes twice as long."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError, DeprecationWarning):  # read-only, empty, or in pieces
        return int(array.ctypes.data)


def decode(
    library: Any,
    logits: np.ndarray,
    input_lengths: np.ndarray,
    blank: int,
    normalize: bool,
    beam_width: int,
    paths: int,
    merge: bool,
    threads: int = 0,
) -> Tuple[np.ndarray, np.ndarray, np.ndarray, Report]:
    """The most probable labels of each sequence.

    Parameters
    ----------
    library, threads
        As in `loss`.
    logits : (N, T, C) float32 or float64 array, any strides
    input_lengths : (N,) int64 array
    blank, normalize, beam_width, paths, merge : int, bool, int, int, bool
        With a `beam_width` of 0 the best path is found, and `paths` is 1.

    Returns
    -------
    labels : (N, paths, T) int64 array, -1 beyond the lengths
    lengths : (N, paths) int64 array
    log_probs : (N, paths) float64 array, nats
    report : Report
    """
    N, T, C = logits.shape
    labels = np.full((N, paths, T), -1, dtype=np.int64)
    lengths, log_probs = np.zeros((N, paths), dtype=np.int64), np.zeros((N, paths))
    given = interface.DecodeCall(
        type=TYPES[logits.dtype.char],
        logits=logits.ctypes.data,
        N=N,
        T=T,
        C=C,
        input_lengths=input_lengths.ctypes.data,
        input_lengths_stride=input_lengths.strides[0],
        blank=int(blank),
        normalize=int(normalize),
        beam_width=beam_width,
        paths=paths,
        merge=int(merge),
        labels=labels.ctypes.data,
        lengths=lengths.ctypes.data,
        log_probs=log_probs.ctypes.data,
        threads=threads,
        python=ctypes.addressof(_PYTHON),
    )
    given.logits_stride_n, given.logits_stride_t, given.logits_stride_c = logits.strides
    return labels, lengths, log_probs, called(library, "ctc_shim_decode", given)


def called(library: Any, entry: str, given: Any) -> Report:
    """Call an entry, which releases the GIL itself, and raises what a signal's handler raises."""
    function = library.__dict__.get("interruptible_" + entry)
    if function is None:
        prototype = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.POINTER(type(given)))
        function = ctypes.cast(getattr(library, entry), prototype)
        setattr(library, "interruptible_" + entry, function)
    if not function(given):
        return FINE
    kind, n, position, value = given.report
    return kind, n, position, value


_PYTHON = interface.Python(
    *[
        ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p)
        for name in ("PyEval_SaveThread", "PyEval_RestoreThread", "PyErr_CheckSignals")
    ]
)


def thread_count() -> int:
    """Threads that a call uses at most: CTC_SHIM_THREADS, OMP_NUM_THREADS, or the processors that
    this process may use, by its affinity and the quota of its control groups."""
    library = load.kernel()
    return int(library.ctc_shim_processors()) if library else 1
