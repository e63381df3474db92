"""ctc_greedy_decode and ctc_beam_search_decode, for every kind of array."""

from typing import Any, Tuple

from ctc_shim.arrays import frontend_of
from ctc_shim.contract import DecodeOptions, check_blank, check_count, check_flag


def ctc_greedy_decode(
    logits: Any,
    input_lengths: Any,
    blank: int = 0,
    *,
    normalize: bool = True,
    merge_repeated: bool = True,
    time_major: bool = False,
    spans: bool = False,
) -> Tuple[Any, ...]:
    """The labels along the most probable path of each sequence.

    The path is the most probable one, which its labels need not be: many paths may spell others.
    See `ctc_beam_search_decode`.

    Parameters
    ----------
    logits : (N, T, C) floats
        Scores, arrays of any kind as in `ctc_loss`; (T, N, C) when `time_major`. Frames from
        ``input_lengths[n]`` on are never read.
    input_lengths : (N,) integers
        T_n, frames in each sequence, 0 .. T.
    blank : int
        Class of the blank; negative counts from the end (-1: the last class, as in Keras).
    normalize : bool
        True: class probabilities are ``softmax(logits)``. False: they are ``exp(logits)`` as given.
    merge_repeated : bool
        Equal neighbours along the path are one label, as CTC has it. False keeps each of them.
    time_major : bool
        Axes of `logits`.
    spans : bool
        Return an Alignment as well: where the labels are, and how sure.

    Returns
    -------
    labels : (N, L) integers
        Padded with -1; L is the length of the longest result, and T under JAX, where shapes are
        fixed.
    log_probs : (N,)
        ln of the path's probability, nats, in the dtype of `logits` (float32 for float16 and
        bfloat16). NaN, and no labels, where a valid frame holds NaN or +inf; -inf, and no labels,
        where no path is possible.
    alignment : Alignment, with `spans`
        The path, with start, end, mean ln p and confidence of each label (N, L), as `ctc_align`
        has them; ``alignment.spans(n)`` lists them. Here the path is the most probable one, and
        its labels are the target of the posteriors. With ``merge_repeated=False`` each label is
        one frame.

    Raises
    ------
    TypeError, ValueError
        Wrong axes or dtype, no classes.
    CTCInputError
        A length out of range, with its row and value. Symbolic variables raise while running.

    Examples
    --------
    >>> import numpy as np, ctc_shim
    >>> p = [[[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2], [0.2, 0.1, 0.7]]]
    >>> labels, log_probs = ctc_shim.ctc_greedy_decode(np.log(p), [4])
    >>> labels.tolist(), float(log_probs[0].round(4))
    ([[1, 2]], -1.3138)
    """
    options = DecodeOptions(
        check_blank(blank),
        check_flag("normalize", normalize),
        check_flag("time_major", time_major),
        merge_repeated=check_flag("merge_repeated", merge_repeated),
        spans=check_flag("spans", spans),
    )
    frontend = frontend_of(logits, input_lengths)
    labels, log_probs, *alignment = frontend.ctc_decode(logits, input_lengths, options)
    return (labels[:, 0], log_probs[:, 0]) + tuple(alignment)


def ctc_beam_search_decode(
    logits: Any,
    input_lengths: Any,
    blank: int = 0,
    *,
    beam_width: int = 100,
    top_paths: int = 1,
    normalize: bool = True,
    merge_repeated: bool = False,
    exact: bool = False,
    time_major: bool = False,
    spans: bool = False,
) -> Tuple[Any, ...]:
    """The most probable labels of each sequence, by prefix beam search with TensorFlow's pruning.

    The numbers are those of ``tf.nn.ctc_beam_search_decoder`` at every beam width. A narrow beam
    loses part of a hypothesis' probability, so that its log probability is too low; `exact`
    computes it again for every hypothesis of the last beam.

    Parameters
    ----------
    logits, input_lengths, blank, normalize, time_major
        As in `ctc_greedy_decode`.
    beam_width : int
        Hypotheses kept after each frame.
    top_paths : int
        Hypotheses returned for each sequence, at most `beam_width`.
    merge_repeated : bool
        True makes one label of equal neighbours in a *result*, those with a blank between them
        too ("hello" becomes "helo"). This was TensorFlow's default once, and that of Keras up to
        2.2.4. It is seldom what is wanted.
    exact : bool
        Score the hypotheses by their true CTC loss, and sort them again.
    spans : bool
        Return an Alignment of the first hypothesis of each sequence as well.

    Returns
    -------
    labels : (N, top_paths, L) integers
        Most probable first, padded with -1; L is the length of the longest result, and T under
        JAX.
    log_probs : (N, top_paths)
        ln p of each, nats, in the dtype of `logits` (float32 for float16 and bfloat16). Where a
        sequence has fewer hypotheses: -inf and no labels. NaN and no labels where a valid frame
        holds NaN or +inf.
    alignment : Alignment, with `spans`
        What `ctc_align` says of ``labels[:, 0]``: the most probable path that spells them, with
        start, end, mean ln p and confidence of each label (N, L).

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
    >>> ctc_shim.ctc_greedy_decode(scores, [2])[0].tolist()           # the path of two blanks: .36
    [[]]
    >>> labels, log_probs = ctc_shim.ctc_beam_search_decode(scores, [2], top_paths=2)
    >>> labels.tolist(), np.exp(log_probs).round(2).tolist()          # three paths spell "1": .64
    ([[[1], [-1]]], [[0.64, 0.36]])
    """
    options = DecodeOptions(
        check_blank(blank),
        check_flag("normalize", normalize),
        check_flag("time_major", time_major),
        check_count("beam_width", beam_width),
        check_count("top_paths", top_paths),
        check_flag("merge_repeated", merge_repeated),
        check_flag("exact", exact),
        check_flag("spans", spans),
    )
    if options.top_paths > options.beam_width:
        raise ValueError(
            "top_paths must be at most beam_width (%d), got %d"
            % (options.beam_width, options.top_paths)
        )
    found: Tuple[Any, ...] = frontend_of(logits, input_lengths).ctc_decode(
        logits, input_lengths, options
    )
    return found
