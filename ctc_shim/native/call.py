"""One call of the library for CPUs on host arrays: the structs of csrc/ctc_shim.h filled."""

import ctypes
from typing import Any, Optional, Tuple

import numpy as np

from ctc_shim import contract
from ctc_shim.native import interface, load

TYPES = {"f": interface.TYPE_F32, "d": interface.TYPE_F64}  # by numpy's one-letter codes
Report = Tuple[
    int, int, int, int
]  # kind (0: no error), n and two numbers; see input_errors.describe


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
        Not time_major: swap the axes instead.
    loss : (N,) array of the logits' dtype, written
    gradient : (N, T, C) array, contiguous along C, written; None: the loss alone
    posteriors : bool
        Write posteriors in place of the gradient.
    upstream : (N,) array of the logits' dtype, optional
        Multiplies the gradient of each sequence.
    threads : int
        At most so many; 0: see `thread_count`.
    epsilon : float, at least 0, optional
        The logits are probabilities p: scores are ln(p + epsilon), the gradient is that by p.
    """
    assert not options.time_major
    given = _call_of(batch, options.blank, threads)
    given.normalize = int(options.normalize)
    given.policy = contract.check_policy(options.infeasible)
    given.mode = interface.MODE_POSTERIORS if posteriors else interface.MODE_GRADIENT
    given.loss = loss.ctypes.data
    if gradient is not None:
        given.gradient = gradient.ctypes.data
        given.gradient_stride_n, given.gradient_stride_t = gradient.strides[:2]
    if upstream is not None:
        given.upstream, given.upstream_stride = upstream.ctypes.data, upstream.strides[0]
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
    given = _call_of(batch, blank, threads)
    given.states = states.ctypes.data
    return states, called(library, "ctc_shim_align", given)


def _call_of(batch: contract.Batch, blank: int, threads: int) -> interface.Call:
    logits, targets, input_lengths, target_lengths = batch
    given = interface.Call(
        type=TYPES[logits.dtype.char],
        logits=logits.ctypes.data,
        targets=targets.ctypes.data,
        S=targets.shape[1],
        input_lengths=input_lengths.ctypes.data,
        input_lengths_stride=input_lengths.strides[0],
        target_lengths=target_lengths.ctypes.data,
        target_lengths_stride=target_lengths.strides[0],
        blank=int(blank),
        threads=threads,
    )
    given.N, given.T, given.C = logits.shape
    given.logits_stride_n, given.logits_stride_t, given.logits_stride_c = logits.strides
    given.targets_stride_n, given.targets_stride_s = targets.strides
    return given


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
    )
    given.logits_stride_n, given.logits_stride_t, given.logits_stride_c = logits.strides
    return labels, lengths, log_probs, called(library, "ctc_shim_decode", given)


def called(library: Any, entry: str, given: Any) -> Report:
    """Call an entry, which releases the GIL itself, and raises what a signal's handler raises."""
    given.python = ctypes.addressof(_PYTHON)
    function = library.__dict__.get("interruptible_" + entry)
    if function is None:
        prototype = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.POINTER(type(given)))
        function = ctypes.cast(getattr(library, entry), prototype)
        setattr(library, "interruptible_" + entry, function)
    function(given)
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
