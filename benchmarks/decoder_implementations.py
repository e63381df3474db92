"""One function per decoder: (best path, beam search of width 100) of a batch, as callables.

Each imports its own library only, as in implementations.py. The best path takes scores as given,
because TensorFlow's op does not normalize there; both beam searches normalize.
"""

from typing import Any

from implementations import Arrays, Functions

BEAM = 100


def ctc_shim(batch: Arrays) -> Functions:
    import ctc_shim as ours

    logits, _, frames, _ = batch
    return (
        lambda: ours.ctc_greedy_decode(logits, frames, normalize=False),
        lambda: ours.ctc_beam_search_decode(logits, frames, beam_width=BEAM),
    )


def ctc_shim_exact(batch: Arrays) -> Functions:
    import ctc_shim as ours

    logits, _, frames, _ = batch
    return (
        lambda: ours.ctc_greedy_decode(logits, frames),
        lambda: ours.ctc_beam_search_decode(logits, frames, beam_width=BEAM, exact=True),
    )


def tensorflow(batch: Arrays) -> Functions:
    import implementations
    import tensorflow as tf

    implementations.use_one_tensorflow_thread()
    logits, _, frames, _ = batch
    scores, frames = implementations.blank_last_time_major(logits), tf.constant(frames)

    def dense(paths: Any, scores: Any) -> Any:
        return [
            tf.sparse.to_dense(path, default_value=-1).numpy() for path in paths
        ], scores.numpy()

    return (
        lambda: dense(*tf.nn.ctc_greedy_decoder(scores, frames)),
        lambda: dense(*tf.nn.ctc_beam_search_decoder(scores, frames, beam_width=BEAM)),
    )
