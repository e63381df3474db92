"""Greedy and beam search decoding, what users call: on numpy arrays at once, on symbolic variables as a node of the graph."""

import numbers

import numpy as np

from ctc_shim import contract
from ctc_shim.native import decoding
from ctc_shim.symbolic.library import package_of


def ctc_greedy_decode(
    logits, input_lengths, blank=0, *, normalize=True, merge_repeated=True, time_major=False
):
    """The labels along the most probable path of each sequence.

    It is the path that is most probable, not the labels: many paths may spell others. See `ctc_beam_search_decode`.

    Parameters
    ----------
    logits : (N, T, C) array or symbolic variable, float16, float32 or float64
        Scores: N sequences, T frames, C classes with the blank; (T, N, C) when `time_major`. Frames from
        ``input_lengths[n]`` on are never read.
    input_lengths : (N,) integers, array or symbolic
        T_n, frames in each sequence, 0 .. T.
    blank : int
        Class of the blank; negative counts from the end (-1: the last class, as in Keras).
    normalize : bool
        True: class probabilities are ``softmax(logits)``. False: they are ``exp(logits)`` as given.
    merge_repeated : bool
        Equal neighbours along the path are one label, as CTC has it. False keeps each of them.
    time_major : bool
        Axes of `logits`.

    Returns
    -------
    labels : (N, L) int64
        Padded with -1; L is the length of the longest result.
    log_probs : (N,)
        ln of the path's probability (nats), in the dtype of `logits` (float32 for float16). NaN, and
        no labels, where a valid frame holds NaN or +inf; -inf, and no labels, where no path is possible.

    Raises
    ------
    CTCInputError
        A length out of range, with its row and value; for symbolic variables while running.
    TypeError, ValueError
        Wrong number of axes or dtype.

    Examples
    --------
    >>> import numpy as np, ctc_shim
    >>> scores = np.log([[[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2], [0.2, 0.1, 0.7]]])
    >>> labels, log_probs = ctc_shim.ctc_greedy_decode(scores, [4])
    >>> labels.tolist(), float(log_probs[0].round(4))
    ([[1, 2]], -1.3138)
    """
    parameters = decoding.Parameters(
        contract.check_blank(blank),
        bool(normalize),
        bool(time_major),
        0,
        1,
        bool(merge_repeated),
        False,
    )
    labels, log_probs = _decode(logits, input_lengths, parameters)
    return labels[:, 0], log_probs[:, 0]


def ctc_beam_search_decode(
    logits,
    input_lengths,
    blank=0,
    *,
    beam_width=100,
    top_paths=1,
    normalize=True,
    merge_repeated=False,
    exact=False,
    time_major=False,
):
    """The most probable labels of each sequence, by prefix beam search with TensorFlow's pruning.

    The numbers are those of ``tf.nn.ctc_beam_search_decoder`` at every beam width: a narrow beam loses part of a hypothesis'
    probability, so that its log probability is too low. `exact` computes it again for every hypothesis of the last beam.

    Parameters
    ----------
    logits, input_lengths, blank, normalize, time_major
        As in `ctc_greedy_decode`.
    beam_width : int
        Hypotheses kept after each frame.
    top_paths : int
        Hypotheses returned for each sequence, at most `beam_width`.
    merge_repeated : bool
        True takes equal neighbours in a *result* for one label, those with a blank between them too ("hello" becomes "helo"):
        TensorFlow's default once, and that of Keras up to 2.2.4. Seldom what is wanted.
    exact : bool
        Score the hypotheses by their true CTC loss, and sort them again.

    Returns
    -------
    labels : (N, top_paths, L) int64
        Most probable first, padded with -1; L is the length of the longest result.
    log_probs : (N, top_paths)
        ln p of each, in the dtype of `logits` (float32 for float16). Where a sequence has fewer hypotheses: -inf and no labels.
        NaN and no labels where a valid frame holds NaN or +inf.

    Raises
    ------
    As `ctc_greedy_decode`; ValueError also for a width or a number of paths out of range.

    References
    ----------
    Graves: Supervised sequence labelling with recurrent neural networks, 2012, section 7.5.3.

    Examples
    --------
    >>> import numpy as np, ctc_shim
    >>> scores = np.log([[[0.6, 0.4], [0.6, 0.4]]])
    >>> ctc_shim.ctc_greedy_decode(scores, [2])[0].tolist()           # the path of two blanks has .36
    [[]]
    >>> labels, log_probs = ctc_shim.ctc_beam_search_decode(scores, [2], top_paths=2)
    >>> labels.tolist(), np.exp(log_probs).round(2).tolist()          # but three paths spell "1": .64
    ([[[1], [-1]]], [[0.64, 0.36]])
    """
    beam_width, top_paths = check_widths(beam_width, top_paths)
    parameters = decoding.Parameters(
        contract.check_blank(blank),
        bool(normalize),
        bool(time_major),
        beam_width,
        top_paths,
        bool(merge_repeated),
        bool(exact),
    )
    return _decode(logits, input_lengths, parameters)


def check_widths(beam_width, top_paths):
    """Both as ints, when a beam so wide has so many paths; ValueError otherwise."""
    beam_width, top_paths = _whole("beam_width", beam_width), _whole("top_paths", top_paths)
    if top_paths > beam_width:
        raise ValueError(
            "top_paths must be at most beam_width (%d), got %d" % (beam_width, top_paths)
        )
    return beam_width, top_paths


def _whole(name, value):
    if (
        not isinstance(value, numbers.Number)
        or isinstance(value, (bool, np.bool_))
        or value < 1
        or int(value) != value
    ):
        raise ValueError("%s must be a whole number from 1 on, got %r" % (name, value))
    return int(value)


def _decode(logits, input_lengths, parameters):
    if package_of(logits) or package_of(input_lengths):
        from ctc_shim.symbolic import decode_op

        return decode_op.decode(logits, input_lengths, parameters)
    return decoding.decode(_scores(logits), _lengths(input_lengths), parameters)


def _scores(logits):
    logits = contract.check_axes("logits", np.asarray(logits), 3)
    if logits.dtype.kind != "f":
        raise TypeError("logits must be float16, float32 or float64, got %s" % logits.dtype)
    return np.asarray(logits, dtype=np.float64 if logits.dtype.itemsize >= 8 else np.float32)


def _lengths(input_lengths):
    lengths = contract.check_axes("input_lengths", np.asarray(input_lengths), 1)
    if lengths.size and lengths.dtype.kind not in "iu":
        raise TypeError("input_lengths must be integers, got %s" % lengths.dtype)
    return lengths.astype(np.int64)
