"""TensorFlow's CTC losses with one signature. Imports TensorFlow 1.15 or 2.x, and Keras on it.

run(op, scores, labels, input_length, label_length) returns the loss (N, 1) and the gradient of its
sum with respect to the scores. Scores are y_pred for Keras' function, and logits for the others.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

OLD = tf.__version__.startswith("1.")
tf1 = tf.compat.v1

if OLD:
    import keras as old_keras
    from keras import backend as K

    KERAS = "keras " + old_keras.__version__
    # The plain ops do not depend on Keras, so recording them once per TensorFlow is enough.
    OPS = ("keras",) if old_keras.__version__.startswith("1.") else ("keras", "v1", "dense")
    SPARSE = K.ctc_label_dense_to_sparse
else:
    import keras as keras3
    import tf_keras
    from tf_keras import backend as K

    KERAS = "tf_keras %s, keras %s" % (tf_keras.__version__, keras3.__version__)
    OPS = ("keras", "v1", "dense", "keras_ops")
    # ctc_batch_cost calls this function, which is private in tf_keras.
    from tf_keras.src.backend import ctc_label_dense_to_sparse as SPARSE


def keras(scores, labels, il, ll):
    return K.ctc_batch_cost(labels, scores, il, ll)


def v1(scores, labels, il, ll):
    il, ll = tf.squeeze(il, axis=-1), tf.squeeze(ll, axis=-1)
    sparse = tf.cast(SPARSE(labels, ll), tf.int32)
    return tf1.nn.ctc_loss(
        inputs=tf.transpose(scores, [1, 0, 2]), labels=sparse, sequence_length=il
    )


def dense(scores, labels, il, ll):
    il, ll = tf.squeeze(il, axis=-1), tf.squeeze(ll, axis=-1)
    call = tf1.nn.ctc_loss_v2 if OLD else tf.nn.ctc_loss
    return call(
        labels=labels,
        logits=scores,
        label_length=ll,
        logit_length=il,
        logits_time_major=False,
        blank_index=-1,
    )


def keras_ops(scores, labels, il, ll):
    il, ll = tf.squeeze(il, axis=-1), tf.squeeze(ll, axis=-1)
    return keras3.ops.ctc_loss(labels, scores, ll, il, mask_index=scores.shape[-1] - 1)


CALLS = {"keras": keras, "v1": v1, "dense": dense, "keras_ops": keras_ops}
_graphs = {}


def run_old(op, values, classes):
    """TensorFlow 1: one graph per op and number of classes, cached because building it is slow."""
    key = (op, classes if op == "dense" else None)  # only the dense op must know C in advance
    if key not in _graphs:
        places = [tf1.placeholder("float32", (None, None, key[1]))] + [
            tf1.placeholder("int32", shape) for shape in ((None, None), (None, 1), (None, 1))
        ]
        loss = CALLS[op](*places)
        _graphs[key] = places, [loss] + tf.gradients(tf.reduce_sum(loss), places[:1])
    places, wanted = _graphs[key]
    return K.get_session().run(wanted, dict(zip(places, values)))


def run_new(op, values):
    scores = tf.constant(values[0])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = CALLS[op](scores, *[tf.constant(v) for v in values[1:]])
        total = tf.reduce_sum(loss)
    return loss.numpy(), tape.gradient(total, scores).numpy()


def run(op, scores, labels, input_length, label_length):
    values = [scores, labels, input_length, label_length]
    loss, grad = run_old(op, values, scores.shape[-1]) if OLD else run_new(op, values)
    return np.reshape(loss, (-1, 1)).astype("float32"), np.asarray(grad, "float32")


def decode(y_pred, input_length, **options):
    """K.ctc_decode: paths (N, K, L) padded with -1, and its second result unchanged."""
    decoded, log_prob = K.ctc_decode(
        tf.constant(y_pred), tf.constant(input_length[:, 0]), **options
    )
    if OLD:
        decoded, log_prob = K.get_session().run([decoded, log_prob])
    decoded = [np.asarray(d) for d in decoded]
    paths = np.full((len(y_pred), len(decoded), max(d.shape[1] for d in decoded)), -1, "int16")
    for k, d in enumerate(decoded):
        paths[:, k, : d.shape[1]] = d
    return paths, np.asarray(log_prob, "float32")
