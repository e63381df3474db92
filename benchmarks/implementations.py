"""One function per implementation: (loss, loss and gradient) of a batch of logits, as callables.

Each imports its own library only, so an environment needs no other.
"""

from typing import Any, Callable, Sequence, Tuple

Arrays = Sequence[Any]  # logits (N, T, C), labels (N, S), both lengths (N,)
Functions = Tuple[Callable[[], Any], Callable[[], Any]]


def pytensor_numba(batch: Arrays) -> Functions:
    return _pytensor(batch, "NUMBA")


def pytensor_c(batch: Arrays) -> Functions:
    from pytensor.compile.mode import Mode

    return _pytensor(batch, Mode("cvm", "fast_run"))


def _pytensor(batch: Arrays, mode: Any) -> Functions:
    import pytensor
    import pytensor.tensor as pt

    import ctc_shim

    symbols = [pt.tensor3(dtype="float32"), pt.imatrix(), pt.ivector(), pt.ivector()]
    loss = ctc_shim.ctc_loss(*symbols)
    alone = pytensor.function(symbols, loss, mode=mode, trust_input=True)
    both = pytensor.function(
        symbols, [loss, pytensor.grad(loss.sum(), symbols[0])], mode=mode, trust_input=True
    )
    return lambda: alone(*batch), lambda: both(*batch)


def torch(batch: Arrays) -> Functions:
    import torch as t

    def loss(logits: Any, *integers: Any) -> Any:
        return t.nn.functional.ctc_loss(
            t.log_softmax(logits, 2).transpose(0, 1), *integers, reduction="none"
        )

    return _in_torch(loss, batch)


def shim_torch(batch: Arrays) -> Functions:
    import ctc_shim

    return _in_torch(ctc_shim.ctc_loss, batch)


def drop_in_torch(batch: Arrays) -> Functions:
    """Ours with PyTorch's arguments, after a log_softmax."""
    import torch as t

    import ctc_shim.torch

    def loss(logits: Any, *integers: Any) -> Any:
        log_probs = t.log_softmax(logits, 2).transpose(0, 1)
        return ctc_shim.torch.ctc_loss(log_probs, *integers, reduction="none")

    return _in_torch(loss, batch)


def _in_torch(function: Callable[..., Any], batch: Arrays) -> Functions:
    import torch as t

    t.set_num_threads(1)
    logits, labels, frames, counts = (t.from_numpy(array) for array in batch)
    labels, frames, counts = labels.long(), frames.long(), counts.long()
    logits.requires_grad_(True)

    def loss() -> Any:
        return function(logits, labels, frames, counts)

    def alone() -> Any:
        with t.no_grad():
            return loss()

    def both() -> Any:
        logits.grad = None
        value = loss()
        value.sum().backward()
        return value, logits.grad

    return alone, both


def optax(batch: Arrays) -> Functions:
    from optax import ctc_loss

    return _with_paddings(ctc_loss, batch)


def drop_in_jax(batch: Arrays) -> Functions:
    """Ours with optax' arguments."""
    from ctc_shim.jax import ctc_loss

    return _with_paddings(ctc_loss, batch)


def _with_paddings(function: Callable[..., Any], batch: Arrays) -> Functions:
    import jax
    import jax.numpy as jnp

    logits, labels, frames, counts = batch
    paddings = (jnp.arange(logits.shape[1])[None] >= frames[:, None]).astype("float32")
    label_paddings = (jnp.arange(labels.shape[1])[None] >= counts[:, None]).astype("float32")
    return _jitted(
        lambda z: function(z, paddings, labels, label_paddings, blank_id=0), jax.device_put(logits)
    )


def shim_jax(batch: Arrays) -> Functions:
    import jax

    import ctc_shim

    logits, *integers = batch
    return _jitted(lambda z: ctc_shim.ctc_loss(z, *integers), jax.device_put(logits))


def keras_3(batch: Arrays) -> Functions:
    import os

    os.environ["KERAS_BACKEND"] = "jax"
    import jax
    import keras

    logits, labels, frames, counts = batch
    return _jitted(
        lambda z: keras.ops.ctc_loss(labels, z, counts, frames, mask_index=0),
        jax.device_put(logits),
    )


def _jitted(loss: Callable[[Any], Any], logits: Any) -> Functions:
    import jax

    alone = jax.jit(loss)

    def summed(z: Any) -> Any:
        value = loss(z)
        return value.sum(), value

    both = jax.jit(jax.value_and_grad(summed, has_aux=True))
    return lambda: jax.block_until_ready(alone(logits)), lambda: jax.block_until_ready(both(logits))


def use_one_tensorflow_thread() -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def blank_last(logits: Any) -> Any:
    """The same scores with class 0, the blank, behind the others."""
    return logits[:, :, list(range(1, logits.shape[2])) + [0]]


def blank_last_time_major(logits: Any) -> Any:
    """Logits as TensorFlow's v1 ops take them."""
    import tensorflow as tf

    return tf.constant(blank_last(logits).transpose(1, 0, 2))


def tensorflow(batch: Arrays) -> Functions:
    import tensorflow as tf

    use_one_tensorflow_thread()
    logits, labels, frames, counts = batch
    moved = blank_last_time_major(logits)
    ragged = tf.RaggedTensor.from_tensor(labels - 1, lengths=counts).to_sparse()
    ragged = tf.SparseTensor(ragged.indices, tf.cast(ragged.values, tf.int32), ragged.dense_shape)

    @tf.function
    def alone() -> Any:
        return tf.compat.v1.nn.ctc_loss(ragged, moved, frames)

    @tf.function
    def both() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(moved)
            loss = tf.compat.v1.nn.ctc_loss(ragged, moved, frames)
        return loss, tape.gradient(loss, moved)

    return lambda: alone().numpy(), lambda: [value.numpy() for value in both()]


def warp_ctc(batch: Arrays) -> Functions:
    """Baidu's warp-ctc; the environment variable WARP_CTC names the library.

    Built from its sources: g++ -std=c++11 -O3 -march=native -DCTC_DISABLE_OMP -fPIC -shared
    -Iinclude src/ctc_entrypoint.cpp -o libwarpctc.so
    """
    import ctypes
    import os

    import numpy as np

    class Options(ctypes.Structure):
        _fields_ = [("where", ctypes.c_int), ("threads", ctypes.c_uint64), ("blank", ctypes.c_int)]

    library = ctypes.CDLL(os.environ["WARP_CTC"])
    logits, labels, frames, counts = batch
    scores = np.ascontiguousarray(logits.swapaxes(0, 1))
    flat = np.concatenate([row[:count] for row, count in zip(labels, counts)]).astype("int32")
    N, C = logits.shape[0], logits.shape[2]
    costs, gradient = np.empty(N, "float32"), np.empty_like(scores)
    options, size = Options(0, 1, 0), ctypes.c_size_t()
    integers = [array.astype("int32") for array in (flat, counts, frames)]

    def address(array: Any) -> Any:
        return None if array is None else ctypes.c_void_p(array.ctypes.data)

    pointers = [address(array) for array in integers]
    if library.get_workspace_size(*pointers[1:], C, N, options, ctypes.byref(size)):
        raise RuntimeError("warp-ctc: get_workspace_size failed")
    workspace = np.empty(size.value, "uint8")

    def call(out: Any) -> Any:
        arguments = [address(scores), address(out)] + pointers + [C, N, address(costs)]
        if library.compute_ctc_loss(*arguments, address(workspace), options):
            raise RuntimeError("warp-ctc failed")
        return costs, integers

    return lambda: call(None), lambda: call(gradient)


def keras_patched(batch: Arrays) -> Functions:
    return _keras(batch, "theano", patched=True)


def keras_stock(batch: Arrays) -> Functions:
    return _keras(batch, "theano", patched=False)


def keras_tensorflow(batch: Arrays) -> Functions:
    return _keras(batch, "tensorflow", patched=False)


def _keras(batch: Arrays, backend: str, patched: bool) -> Functions:
    """K.ctc_batch_cost of a legacy Keras, and its gradient with respect to the probabilities."""
    import os

    os.environ.update(KERAS_BACKEND=backend, CTC_SHIM_PATCH=str(int(patched)))
    import numpy as np

    if patched:
        import ctc_shim  # noqa: F401
    if backend == "tensorflow":
        import tensorflow as tf

        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=1, inter_op_parallelism_threads=1
        )
        tf.compat.v1.keras.backend.set_session(tf.compat.v1.Session(config=config))
    from keras import backend as K

    logits, labels, frames, counts = batch
    moved = blank_last(logits)
    exps = np.exp(moved - moved.max(axis=2, keepdims=True))
    values = [labels - 1, exps / exps.sum(axis=2, keepdims=True), frames[:, None], counts[:, None]]
    symbols = [K.placeholder(ndim=value.ndim, dtype=str(value.dtype)) for value in values]
    cost = K.ctc_batch_cost(*symbols)
    gradient = K.gradients(K.sum(cost), [symbols[1]] if backend == "tensorflow" else symbols[1])
    alone = K.function(symbols, [cost])
    both = K.function(symbols, [cost] + (gradient if isinstance(gradient, list) else [gradient]))
    return lambda: alone(values), lambda: both(values)
