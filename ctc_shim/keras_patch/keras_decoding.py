"""K.ctc_decode and K.ctc_label_dense_to_sparse, as Keras' TensorFlow backend defines them."""

import importlib
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from ctc_shim import contract
from ctc_shim.decode import ctc_beam_search_decode, ctc_greedy_decode
from ctc_shim.keras_patch.keras_arguments import epsilon, keras_version, lengths
from ctc_shim.symbolic.library import package_of

# The first Keras whose ctc_decode takes these.
HAS_TOP_PATHS, HAS_MERGE_REPEATED = (1, 1, 0), (2, 2, 5)


def make(backend: Any) -> Dict[str, Callable[..., Any]]:
    """The functions for one loaded ``keras.backend.theano_backend``: dict of name -> function."""

    def decode(
        y_pred: Any,
        input_length: Any,
        greedy: bool,
        beam_width: Any,
        top_paths: int,
        merge_repeated: bool,
    ) -> Any:
        run = (
            _on_arrays
            if package_of(y_pred) is None and package_of(input_length) is None
            else _in_a_graph
        )
        return run(backend, y_pred, input_length, greedy, beam_width, top_paths, merge_repeated)

    def ctc_label_dense_to_sparse(labels: Any, label_lengths: Any) -> Any:
        """Labels without their padding, as a sparse matrix (ctc_shim).

        Parameters
        ----------
        labels : (N, S) tensor
        label_lengths : (N,) or (N, 1) tensor
            S_n, labels in each row.

        Returns
        -------
        (N, S) sparse matrix of Theano (CSR), dtype of `labels`
            It holds an entry for each label, label 0 too. ``K.to_dense`` gives the labels with 0 as
            padding, as on TensorFlow. The functions of ctc_shim, K.ctc_batch_cost among them, take
            dense labels and need none of this.
        """
        T, sparse = backend.T, _sparse(backend)
        labels = contract.check_axes(
            "ctc_label_dense_to_sparse: labels", T.as_tensor_variable(labels), 2
        )
        counts = lengths(
            "ctc_label_dense_to_sparse: label_lengths", T.as_tensor_variable(label_lengths)
        )
        counts = T.clip(counts, 0, labels.shape[1])
        row, column = T.lt(
            T.arange(labels.shape[1]).dimshuffle("x", 0), counts.dimshuffle(0, "x")
        ).nonzero()
        starts = T.concatenate([T.zeros((1,), dtype="int64"), T.cumsum(counts)])
        return sparse.CSR(
            labels[row, column],
            T.cast(column, "int32"),
            T.cast(starts, "int32"),
            T.cast(T.shape(labels), "int32"),
        )

    return {
        "ctc_decode": _ctc_decode(decode),
        "ctc_label_dense_to_sparse": ctc_label_dense_to_sparse,
    }


def _sparse(backend: Any) -> Any:
    try:
        return importlib.import_module(backend.theano.__name__ + ".sparse")
    except ImportError as error:
        raise NotImplementedError(
            "ctc_label_dense_to_sparse: there are no sparse matrices here (%s). K.ctc_batch_cost "
            "and ctc_shim.ctc_loss take dense labels with their lengths: use those" % error
        )


DOC = """Decodes the output of a softmax, with TensorFlow's results (ctc_shim).

Parameters
----------
y_pred : (N, T, C) tensor or array
    Probabilities (a softmax's output); the blank is the last class.
input_length : (N,) or (N, 1) tensor or array
    T_n, of any numeric dtype.
greedy : bool
    The labels along the most probable path; else beam search with TensorFlow's pruning, see
    `ctc_shim.ctc_beam_search_decode`.
%s
Returns
-------
list of (N, L) int64 tensors, padded with -1, and the scores
    One of them for each path, with its own L. Scores: greedy (N, 1), minus the sum over the frames
    of the largest ln(y_pred + epsilon); beam search (N, top_paths), ln p, -inf where there is no
    such path. Of arrays the results are variables that hold a value: K.get_value and K.eval both
    give it, and nothing is compiled.
"""
BEAM = """beam_width, top_paths : int
    Width of the beam and number of paths, for beam search.
"""
MERGE = """merge_repeated : bool
    Equal neighbours in a result of beam search become one label, double letters too.
"""
DICTIONARY = """beam_width : int
    Width of the beam, for beam search; None: 100.
dict_seq_lens, dict_values
    The dictionary that was planned, and that no TensorFlow takes: refused.
"""


def _ctc_decode(decode: Callable[..., Any]) -> Callable[..., Any]:
    """ctc_decode with the signature of this Keras' TensorFlow backend.

    Signatures without merge_repeated merge: so did the TensorFlow of those years by default.
    """

    def newest(
        y_pred: Any,
        input_length: Any,
        greedy: bool = True,
        beam_width: int = 100,
        top_paths: int = 1,
        merge_repeated: bool = False,
    ) -> Any:
        return decode(y_pred, input_length, greedy, beam_width, top_paths, merge_repeated)

    def older(
        y_pred: Any,
        input_length: Any,
        greedy: bool = True,
        beam_width: int = 100,
        top_paths: int = 1,
    ) -> Any:
        return decode(y_pred, input_length, greedy, beam_width, top_paths, True)

    def oldest(
        y_pred: Any,
        input_length: Any,
        greedy: bool = True,
        beam_width: Optional[int] = None,
        dict_seq_lens: Any = None,
        dict_values: Any = None,
    ) -> Any:
        if dict_seq_lens is not None or dict_values is not None:
            raise NotImplementedError(
                "ctc_decode: no TensorFlow ever decoded with a dictionary here: leave "
                "dict_seq_lens and dict_values out, and choose among the paths of "
                "ctc_shim.ctc_beam_search_decode"
            )
        return decode(y_pred, input_length, greedy, beam_width or 100, 1, True)

    version = keras_version()
    made, arguments = (
        (newest, BEAM + MERGE)
        if version >= HAS_MERGE_REPEATED
        else (older, BEAM)
        if version >= HAS_TOP_PATHS
        else (oldest, DICTIONARY)
    )
    made.__name__, made.__doc__ = "ctc_decode", DOC % arguments
    return made


def _decoded(
    scores: Any, frames: Any, greedy: bool, beam_width: Any, top_paths: int, merge_repeated: bool
) -> Tuple[Any, Any]:
    """(labels (N, K, L), Keras' scores (N, K))"""
    if not greedy:
        options = dict(beam_width=beam_width, top_paths=top_paths, merge_repeated=merge_repeated)
        labels, log_probs = ctc_beam_search_decode(scores, frames, -1, **options)
        return labels, log_probs
    labels, log_probs = ctc_greedy_decode(scores, frames, -1, normalize=False)
    if package_of(labels) is None:
        return labels[:, None], -log_probs[:, None]
    return labels.dimshuffle(0, "x", 1), -log_probs.dimshuffle(0, "x")


def _on_arrays(
    backend: Any, y_pred: Any, input_length: Any, *options: Any
) -> Tuple[List[Any], Any]:
    """Decode at once. The results are shared variables, which K.get_value and K.eval accept."""
    y_pred = contract.check_axes("ctc_decode: y_pred", np.asarray(y_pred), 3)
    y_pred = y_pred.astype("float64" if y_pred.dtype == np.float64 else "float32")
    frames = lengths("ctc_decode: input_length", np.asarray(input_length))
    with np.errstate(divide="ignore", invalid="ignore"):  # of padding, whatever it holds
        scores = np.log(y_pred + y_pred.dtype.type(epsilon(backend)))
    labels, log_probs = _decoded(scores, frames, *options)
    widths = (labels >= 0).sum(axis=2).max(axis=0) if len(labels) else [0] * labels.shape[1]
    shared = backend.theano.shared
    return [shared(np.array(labels[:, k, :width])) for k, width in enumerate(widths)], shared(
        log_probs
    )


def _in_a_graph(
    backend: Any, y_pred: Any, input_length: Any, *options: Any
) -> Tuple[List[Any], Any]:
    T = backend.T
    y_pred = contract.check_axes("ctc_decode: y_pred", T.as_tensor_variable(y_pred), 3)
    if y_pred.dtype not in ("float32", "float64"):
        y_pred = T.cast(y_pred, "float32")
    frames = lengths("ctc_decode: input_length", T.as_tensor_variable(input_length))
    scores = T.log(y_pred + np.asarray(epsilon(backend), dtype=y_pred.dtype))
    labels, log_probs = _decoded(scores, frames, *options)
    greedy, top_paths = options[0], options[2]
    if greedy or top_paths == 1:
        return [labels[:, 0]], log_probs
    widths = T.sum(T.ge(labels, 0), axis=2)  # (N, K)
    return [
        labels[:, k, : T.max(T.concatenate([[0], widths[:, k]]))] for k in range(top_paths)
    ], log_probs
