"""One function for each decoder: (best path, beam search of width 100) on a batch, from logits, as callables.

Each imports its own library only, as in implementations.py. Scores as given stand for themselves in the best path of both (TensorFlow's
op normalises nothing there); both beam searches normalise.
"""

BEAM = 100


def ctc_shim(batch):
    import ctc_shim as ours

    logits, _, frames, _ = batch
    return (
        lambda: ours.ctc_greedy_decode(logits, frames, normalize=False),
        lambda: ours.ctc_beam_search_decode(logits, frames, beam_width=BEAM),
    )


def ctc_shim_exact(batch):
    import ctc_shim as ours

    logits, _, frames, _ = batch
    return (
        lambda: ours.ctc_greedy_decode(logits, frames),
        lambda: ours.ctc_beam_search_decode(logits, frames, beam_width=BEAM, exact=True),
    )


def tensorflow(batch):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    logits, _, frames, _ = batch
    C = logits.shape[2]
    moved = tf.constant(
        logits[:, :, list(range(1, C)) + [0]].transpose(1, 0, 2)
    )  # its op has the blank last
    frames = tf.constant(frames)

    def dense(result):
        return [tf.sparse.to_dense(path, default_value=-1).numpy() for path in result[0]], result[
            1
        ].numpy()

    return (
        lambda: dense(tf.nn.ctc_greedy_decoder(moved, frames)),
        lambda: dense(tf.nn.ctc_beam_search_decoder(moved, frames, beam_width=BEAM)),
    )
