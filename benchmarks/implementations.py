"""One function for each implementation: (loss alone, loss and gradient) on a batch, from logits, as callables.

Each imports its own library only, so that an environment needs nothing but the one it is there for.
"""


def pytensor_numba(batch):
    return _pytensor(batch, "NUMBA")


def pytensor_c(batch):
    from pytensor.compile.mode import Mode

    return _pytensor(batch, Mode("cvm", "fast_run"))


def _pytensor(batch, mode):
    import pytensor
    import pytensor.tensor as pt

    import ctc_shim

    symbols = [pt.tensor3(dtype="float32"), pt.imatrix(), pt.ivector(), pt.ivector()]
    loss = ctc_shim.ctc_loss(*symbols)
    alone = pytensor.function(symbols, loss, mode=mode, trust_input=True)
    both = pytensor.function(symbols, [loss, pytensor.grad(loss.sum(), symbols[0])], mode=mode, trust_input=True)
    return lambda: alone(*batch), lambda: both(*batch)


def torch(batch):
    import torch as t

    def loss(logits, *integers):
        return t.nn.functional.ctc_loss(t.log_softmax(logits, 2).transpose(0, 1), *integers, reduction="none")

    return _in_torch(loss, batch)


def shim_torch(batch):
    import ctc_shim

    return _in_torch(ctc_shim.torch_ctc_loss, batch)


def _in_torch(function, batch):
    import torch as t

    t.set_num_threads(1)
    logits, labels, frames, counts = (t.from_numpy(array) for array in batch)
    labels, frames, counts = labels.long(), frames.long(), counts.long()
    logits.requires_grad_(True)

    def loss():
        return function(logits, labels, frames, counts)

    def alone():
        with t.no_grad():
            return loss()

    def both():
        logits.grad = None
        value = loss()
        value.sum().backward()
        return value, logits.grad

    return alone, both


def optax(batch):
    import jax
    import jax.numpy as jnp
    import optax as o

    logits, labels, frames, counts = batch
    paddings = (jnp.arange(logits.shape[1])[None] >= frames[:, None]).astype("float32")
    label_paddings = (jnp.arange(labels.shape[1])[None] >= counts[:, None]).astype("float32")
    return _jitted(lambda z: o.ctc_loss(z, paddings, labels, label_paddings, blank_id=0), jax.device_put(logits))


def shim_jax(batch):
    import jax

    import ctc_shim

    logits, *integers = batch
    return _jitted(lambda z: ctc_shim.jax_ctc_loss(z, *integers), jax.device_put(logits))


def keras_3(batch):
    import os

    os.environ["KERAS_BACKEND"] = "jax"
    import jax
    import keras

    logits, labels, frames, counts = batch
    return _jitted(lambda z: keras.ops.ctc_loss(labels, z, counts, frames, mask_index=0), jax.device_put(logits))


def _jitted(loss, logits):
    import jax

    alone = jax.jit(loss)

    def summed(z):
        value = loss(z)
        return value.sum(), value

    both = jax.jit(jax.value_and_grad(summed, has_aux=True))
    return lambda: jax.block_until_ready(alone(logits)), lambda: jax.block_until_ready(both(logits))


def tensorflow(batch):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    logits, labels, frames, counts = batch
    C = logits.shape[2]
    moved = tf.constant(logits[:, :, list(range(1, C)) + [0]].transpose(1, 0, 2))  # its v1 op has the blank last
    ragged = tf.RaggedTensor.from_tensor(labels - 1, lengths=counts).to_sparse()
    ragged = tf.SparseTensor(ragged.indices, tf.cast(ragged.values, tf.int32), ragged.dense_shape)

    @tf.function
    def alone():
        return tf.compat.v1.nn.ctc_loss(ragged, moved, frames)

    @tf.function
    def both():
        with tf.GradientTape() as tape:
            tape.watch(moved)
            loss = tf.compat.v1.nn.ctc_loss(ragged, moved, frames)
        return loss, tape.gradient(loss, moved)

    return lambda: alone().numpy(), lambda: [value.numpy() for value in both()]
