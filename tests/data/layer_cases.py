"""What the parts of Keras 2.3.1 return, and their gradients, on the backend that is loaded.

    python layer_cases.py OUT.npz

One text for TensorFlow (make_layers.py freezes its numbers) and for Theano (test_parity.py
compares). Inputs have what tells the backends apart: ties, exact zeros, saturated probabilities.
Every gradient is that of a sum with unequal weights. Theano convolves where TensorFlow correlates:
kernels of convolutions are flipped there, as Keras does when it loads weights.
"""

import json
import sys

import numpy as np

TIES = np.array(
    [
        [-2.0, -1.0, 0.0, 0.0, 0.5, 1.0, 1.0, 2.5],
        [0.0] * 8,
        [1.0, 1.0, 1.0, 1.0, 3.0, 3.0, -3.0, -3.0],
    ],
    "float32",
)
PROBABILITIES = np.array(
    [[0, 1, 0], [0.5, 0.5, 0], [1 / 3.0] * 3, [1e-9, 0.75, 0.25], [0.2, 0.7, 0.1], [1, 0, 0]],
    "float32",
)
CLASSES = np.array([1, 0, 2, 1, 1, 2])
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]
IMAGE = np.zeros((1, 6, 7, 2), "float32")  # constant but for a bar and a dot
IMAGE[0, 2:4, 1:5], IMAGE[0, 5, 5] = 1, 0.3
VOLUME = np.zeros((1, 4, 4, 3, 2), "float32")
VOLUME[0, 1:3, 1:3, :2] = 1
SEQUENCE = np.random.RandomState(0).standard_normal((3, 5, 3)).astype("float32")
SEQUENCE[1, 3:], SEQUENCE[2] = 0, 0
LOSSES = (
    "mean_squared_error mean_absolute_error mean_absolute_percentage_error hinge squared_hinge "
    "mean_squared_logarithmic_error categorical_hinge logcosh huber_loss binary_crossentropy "
    "categorical_crossentropy kullback_leibler_divergence poisson cosine_proximity"
).split()
# The kernels that the backends read in opposite order; those of separable convolutions are not.
CONVOLVED = "Conv1D Conv2D Conv3D Conv2DTranspose Conv3DTranspose ConvLSTM2D".split()
METRICS = (
    "MeanSquaredError RootMeanSquaredError CosineSimilarity BinaryAccuracy CategoricalAccuracy "
    "Precision Recall AUC TruePositives FalseNegatives KLDivergence CategoricalHinge "
    "BinaryCrossentropy CategoricalCrossentropy"
).split()


def random(*shape):
    return np.random.RandomState(len(shape)).uniform(-1, 1, shape).astype("float32")


def weights(shape):
    """Unequal weights, none of them zero."""
    return (1.5 + np.cos(np.arange(np.prod(shape)))).reshape(shape).astype("float32")


def named(variable, shape):
    """With the shape that Keras records where a layer returns it; TensorFlow knows it anyway."""
    if not hasattr(variable, "_keras_shape"):
        variable._keras_shape = shape
    return variable


class Recorder(object):
    """Computes values and gradients; `results` is {name: list of arrays, or an error's name}."""

    def __init__(self):
        import keras

        self.keras, self.K, self.results = keras, keras.backend, {}
        self.is_tensorflow = self.K.backend() == "tensorflow"

    def record(self, name, compute):
        self.phase = 1 if "train" in name else 0
        if self.is_tensorflow:
            self.K.clear_session()
        else:
            self.K.set_learning_phase(self.phase)
        try:
            self.results[name] = [np.asarray(a, "float32") for a in compute()]
        except Exception as error:
            self.results[name] = type(error).__name__

    def call(self, entry, outputs, x):
        """The outputs for the array x, in the phase of the case."""
        if self.is_tensorflow:
            return self.K.function([entry, self.K.learning_phase()], outputs)([x, self.phase])
        return self.K.function([entry], outputs)([x])

    def gradients(self, total, variables):
        found = self.K.gradients(total, variables)
        if not self.is_tensorflow:
            return found
        import tensorflow

        return [tensorflow.convert_to_tensor(g) for g in found]

    def flipped(self, kernel, axes):
        """A kernel of a convolution, for the other backend; the first `axes` are its lengths."""
        if self.is_tensorflow or not axes:
            return kernel
        return kernel[(slice(None, None, -1),) * axes]

    def function(self, name, f, x, *kernels):
        """f(x, *kernels): value, and gradients by all arguments; kernels of convolutions."""

        def compute():
            axes = x.ndim - 2
            given = [x] + [self.flipped(k, axes) for k in kernels]
            variables = [self.K.variable(a) for a in given]
            y = f(*variables)
            value = self.K.eval(y)
            if value.dtype.kind != "f":
                return [value]
            total = self.K.sum(y * self.K.constant(weights(value.shape)))
            made = [self.K.eval(g) for g in self.gradients(total, variables)]
            return [value, made[0]] + [self.flipped(g, axes) for g in made[1:]]

        self.record(name, compute)

    def layer(self, name, make, x):
        """Value, and gradients by the input and by the trainable weights."""

        def compute():
            K, seeded = self.K, np.random.RandomState(1)
            entry = self.keras.layers.Input(batch_shape=x.shape)
            chain = make()
            chain = chain if isinstance(chain, list) else [chain]
            y = entry
            for layer in chain:
                y = layer(y)
            layer = chain[-1]
            axes = [
                w.ndim - 2 if type(layer).__name__ in CONVOLVED and w.ndim > 2 else 0
                for w in layer.get_weights()
            ]
            drawn = [seeded.uniform(0.1, 0.6, w.shape) for w in layer.get_weights()]
            layer.set_weights([self.flipped(w, a) for w, a in zip(drawn, axes)])
            value = self.call(entry, [y], x)[0]
            total = K.sum(y * K.constant(weights(value.shape)))
            variables = [entry] + layer.trainable_weights
            made = self.call(entry, self.gradients(total, variables), x)
            return [value, made[0]] + [self.flipped(g, a) for g, a in zip(made[1:], axes)]

        self.record("layer " + name, compute)


def functions(r):
    K = r.K
    for name in (
        "relu elu softplus softsign sigmoid hard_sigmoid tanh abs sign square softmax logsumexp exp"
        " cumsum cumprod"
    ).split():
        r.function(name, getattr(K, name), TIES)
    r.function("l2_normalize", lambda v: K.l2_normalize(v, -1), TIES)
    r.function("l2_normalize of little", lambda v: K.l2_normalize(v, -1), 1e-5 * TIES)
    r.function("round", lambda v: K.round(v) + v, TIES)
    r.function("relu max_value", lambda v: K.relu(v, max_value=1.0), TIES)
    r.function("relu max_value 6", lambda v: K.relu(v, max_value=6.0), 6 * TIES)
    r.function("relu alpha", lambda v: K.relu(v, alpha=0.1), TIES)
    r.function("relu threshold", lambda v: K.relu(v, threshold=1.0), TIES)
    r.function("relu all", lambda v: K.relu(v, alpha=0.1, max_value=2.0, threshold=1.0), TIES)
    r.function("elu alpha", lambda v: K.elu(v, 0.5), TIES)
    r.function("sqrt", K.sqrt, np.abs(TIES))
    r.function("log", K.log, PROBABILITIES)
    r.function("clip", lambda v: K.clip(v, 0.0, 1.0), TIES)
    r.function("pow", lambda v: K.pow(v, 0.5), np.abs(TIES))
    for name in "max min sum mean var std prod".split():
        reduce = getattr(K, name)
        r.function(name + " of an axis", lambda v, f=reduce: f(v, axis=-1), TIES)
        r.function(name + " kept", lambda v, f=reduce: f(v, 0, keepdims=True), TIES)
        r.function(name + " of all", lambda v, f=reduce: f(v) + K.sum(v), TIES)
    r.function("maximum", lambda v: K.maximum(v, 0.0), TIES)
    r.function("maximum from the left", lambda v: K.maximum(K.zeros(TIES.shape), v), TIES)
    r.function("minimum", lambda v: K.minimum(v, 0.0), TIES)
    r.function("minimum from the left", lambda v: K.minimum(K.zeros(TIES.shape), v), TIES)
    r.function("maximum of itself", lambda v: K.maximum(v, v), TIES)
    r.function("argmax", lambda v: K.cast(K.argmax(v), "float32") + K.sum(v, -1), TIES)
    r.function("gather", lambda v: K.gather(v, K.constant([0, 0, 2], dtype="int32")), TIES)
    r.function("switch", lambda v: K.switch(K.greater(v, 0.0), v * 2, v * 3), TIES)
    r.function("batch_dot", lambda v: K.batch_dot(v, v, (2, 2)), SEQUENCE)
    r.function("repeat_elements", lambda v: K.repeat_elements(v, 2, 1), SEQUENCE)
    r.function("reverse", lambda v: K.reverse(v, 1), SEQUENCE)
    r.function("resize_images", lambda v: K.resize_images(v, 2, 2, "channels_last"), IMAGE)
    r.function(
        "in_top_k", lambda p: K.in_top_k(p, K.constant(CLASSES, dtype="int32"), 2), PROBABILITIES
    )


def losses(r):
    K, from_logits = r.K, dict(from_logits=True)
    for name in LOSSES:
        f = getattr(r.keras.losses, name)
        r.function("loss " + name, lambda p, f=f: f(K.constant(ONE_HOT), p), PROBABILITIES)
        r.function(
            "loss %s of logits" % name,
            lambda p, f=f: f(
                K.constant(ONE_HOT), p, **(from_logits if "cross" in f.__name__ else {})
            ),
            30 * PROBABILITIES - 15,
        )
    sparse = r.keras.losses.sparse_categorical_crossentropy
    labels = K.constant  # made in each graph
    r.function(
        "loss sparse_categorical_crossentropy",
        lambda p: sparse(labels(CLASSES[:, None]), p),
        PROBABILITIES,
    )
    r.function(
        "loss sparse_categorical_crossentropy of logits",
        lambda p: sparse(labels(CLASSES[:, None]), p, from_logits=True),
        30 * PROBABILITIES,
    )
    r.function(
        "loss sparse_categorical_crossentropy of sequences",
        lambda p: sparse(labels(CLASSES.reshape(2, 3, 1)), p),
        PROBABILITIES.reshape(2, 3, 3),
    )
    for name in ("softmax", "sigmoid"):
        activation = getattr(r.keras.activations, name)
        for loss in ("categorical_crossentropy", "binary_crossentropy"):
            f = getattr(r.keras.losses, loss)
            r.function(
                "%s, then %s" % (name, loss),
                lambda p, f=f, a=activation: f(K.constant(ONE_HOT), named(a(p), (6, 3))),
                30 * PROBABILITIES - 10,
            )
        r.function(
            "%s, then sparse_categorical_crossentropy" % name,
            lambda p, a=activation: sparse(labels(CLASSES[:, None]), named(a(p), (6, 3))),
            30 * PROBABILITIES - 10,
        )


def pooling(r):
    K = r.K
    first = dict(data_format="channels_first")
    for mode in ("max", "avg"):
        for padding in ("valid", "same"):
            for size, strides in (
                ((2, 2), (2, 2)),
                ((3, 3), (2, 2)),
                ((2, 3), (1, 2)),
                ((4, 2), (3, 1)),
            ):
                r.function(
                    "pool2d %s %s %dx%d by %dx%d" % ((mode, padding) + size + strides),
                    lambda v, a=(size, strides, padding), m=mode: K.pool2d(v, *a, pool_mode=m),
                    IMAGE,
                )
            r.function(
                "pool2d %s %s channels_first" % (mode, padding),
                lambda v, p=padding, m=mode: K.pool2d(v, (2, 2), (2, 2), p, pool_mode=m, **first),
                IMAGE.transpose(0, 3, 1, 2),
            )
            for size in ((2, 2, 2), (3, 2, 1)):
                r.function(
                    "pool3d %s %s %dx%dx%d" % ((mode, padding) + size),
                    lambda v, s=size, p=padding, m=mode: K.pool3d(v, s, (2, 2, 1), p, pool_mode=m),
                    VOLUME,
                )


def convolutions(r):
    K = r.K

    def two(name, x=IMAGE, **options):
        r.function(name, lambda v, k: K.conv2d(v, k, **options), x, options.pop("kernel"))

    for padding in ("valid", "same"):
        for size in (2, 3, 4):
            for strides in ((1, 1), (2, 2), (1, 3)):
                two(
                    "conv2d %s %d by %dx%d" % ((padding, size) + strides),
                    kernel=random(size, size, 2, 3),
                    strides=strides,
                    padding=padding,
                )
        two(
            "conv2d %s dilated" % padding,
            kernel=random(3, 3, 2, 3),
            padding=padding,
            dilation_rate=(2, 2),
        )
        two(
            "conv2d %s channels_first" % padding,
            IMAGE.transpose(0, 3, 1, 2),
            kernel=random(3, 3, 2, 3),
            strides=(2, 2),
            padding=padding,
            data_format="channels_first",
        )
        r.function(
            "conv1d %s" % padding,
            lambda v, k, p=padding: K.conv1d(v, k, 2, p),
            SEQUENCE,
            random(3, 3, 2),
        )
        r.function(
            "conv3d %s" % padding,
            lambda v, k, p=padding: K.conv3d(v, k, (2, 2, 1), p),
            VOLUME,
            random(3, 2, 2, 2, 2),
        )
    r.function("conv1d causal", lambda v, k: K.conv1d(v, k, 1, "causal"), SEQUENCE, random(2, 3, 2))
    r.record(
        "conv2d, the same kernel on both",
        lambda: [K.eval(K.conv2d(K.variable(IMAGE), K.variable(random(2, 2, 2, 3))))],
    )


def layers(r):
    L = r.keras.layers
    for part in ("train", "test"):
        r.layer("BatchNormalization " + part, lambda: L.BatchNormalization(), SEQUENCE)
        r.layer("BatchNormalization of an image " + part, lambda: L.BatchNormalization(), IMAGE)
    many = dict(return_sequences=True)
    for name in ("SimpleRNN", "GRU", "LSTM"):
        make = getattr(L, name)
        r.layer(name, lambda m=make: m(4, **many), SEQUENCE)
        r.layer(name + " masked", lambda m=make: [L.Masking(0.0), m(4, **many)], SEQUENCE)
        r.layer(name + " backwards", lambda m=make: m(4, go_backwards=True), SEQUENCE)
        r.layer(name + " relu", lambda m=make: m(4, activation="relu", **many), SEQUENCE)
        r.layer(name + " bidirectional", lambda m=make: L.Bidirectional(m(4, **many)), SEQUENCE)
    r.layer("GRU reset_after", lambda: L.GRU(4, reset_after=True), SEQUENCE)
    r.layer("ConvLSTM2D", lambda: L.ConvLSTM2D(2, 3, padding="same"), IMAGE.reshape(1, 2, 3, 7, 2))
    for name in "ReLU LeakyReLU PReLU ThresholdedReLU ELU Softmax Dense".split():
        r.layer(name, lambda n=name: getattr(L, n)(*((3,) if n == "Dense" else ())), TIES)
    r.layer("GlobalMaxPooling1D", lambda: L.GlobalMaxPooling1D(), SEQUENCE)
    r.layer("GlobalMaxPooling2D", lambda: L.GlobalMaxPooling2D(), IMAGE)
    r.layer("GlobalAveragePooling2D", lambda: L.GlobalAveragePooling2D(), IMAGE)
    for padding in ("valid", "same"):
        one = dict(padding=padding)
        r.layer("MaxPooling1D " + padding, lambda o=one: L.MaxPooling1D(2, **o), SEQUENCE)
        r.layer("AveragePooling1D " + padding, lambda o=one: L.AveragePooling1D(2, **o), SEQUENCE)
        r.layer("Conv1D " + padding, lambda o=one: L.Conv1D(2, 3, activation="relu", **o), SEQUENCE)
        r.layer("Conv2D " + padding, lambda o=one: L.Conv2D(2, 3, **o), IMAGE)
        r.layer("Conv3D " + padding, lambda o=one: L.Conv3D(2, 2, **o), VOLUME)
        for strides in (1, 2):
            s = dict(one, strides=strides)
            name = " %s by %d" % (padding, strides)
            r.layer("SeparableConv2D" + name, lambda o=s: L.SeparableConv2D(2, 3, **o), IMAGE)
            r.layer("DepthwiseConv2D" + name, lambda o=s: L.DepthwiseConv2D(3, **o), IMAGE)
            r.layer("Conv2DTranspose" + name, lambda o=s: L.Conv2DTranspose(2, 3, **o), IMAGE)
            r.layer("Conv3DTranspose" + name, lambda o=s: L.Conv3DTranspose(2, 3, **o), VOLUME)
        r.layer("SeparableConv1D " + padding, lambda o=one: L.SeparableConv1D(2, 3, **o), SEQUENCE)
        r.layer(
            "Conv2DTranspose even " + padding, lambda o=one: L.Conv2DTranspose(2, 2, **o), IMAGE
        )
    r.layer("Conv2D dilated", lambda: L.Conv2D(2, 2, dilation_rate=2), IMAGE)
    r.layer("LocallyConnected1D", lambda: L.LocallyConnected1D(2, 3), SEQUENCE)
    r.layer("LocallyConnected2D", lambda: L.LocallyConnected2D(2, (3, 2)), IMAGE)
    r.layer("UpSampling2D", lambda: L.UpSampling2D((2, 2)), IMAGE)
    r.layer("UpSampling2D bilinear", lambda: L.UpSampling2D(2, interpolation="bilinear"), IMAGE)
    r.layer("ZeroPadding2D", lambda: L.ZeroPadding2D(1), IMAGE)
    r.layer("Cropping2D", lambda: L.Cropping2D(1), IMAGE)
    r.layer("Permute", lambda: L.Permute((2, 1)), SEQUENCE)


def masks(r):
    """Dropout: the values that a mask has, whether it is one for all frames, and its density."""
    L, np_random = r.keras.layers, np.random

    def statistics(make, x):
        np_random.seed(3)
        entry = L.Input(batch_shape=x.shape)
        layer = make()
        y = layer(entry)
        if layer.get_weights():
            n = x.shape[-1]
            layer.set_weights([np.eye(n), np.zeros((n, n)), np.zeros(n)])
        made = r.call(entry, [y], x)[0]
        fixed = float((made[:, :1] == made).all())
        return [np.unique(np.round(made, 4)), fixed, np.round((made != 0).mean() * 20) / 20]

    ones = np.ones((40, 4, 60), "float32")
    rnn = dict(activation="linear", return_sequences=True, dropout=0.25)
    for name, make in (
        ("Dropout", lambda: L.Dropout(0.25)),
        ("SpatialDropout1D", lambda: L.SpatialDropout1D(0.25)),
        ("SimpleRNN dropout", lambda: L.SimpleRNN(60, **rnn)),
    ):
        r.record("train " + name, lambda m=make: statistics(m, ones))


def metrics(r):
    """Functions and classes, on probabilities with ties."""
    K, M = r.K, r.keras.metrics
    for name in "binary_accuracy categorical_accuracy top_k_categorical_accuracy".split():
        k = dict(k=2) if "top_k" in name else {}
        f = getattr(M, name)
        r.record(
            "metric " + name,
            lambda f=f, k=k: [K.eval(f(K.variable(ONE_HOT), K.variable(PROBABILITIES), **k))],
        )
    for name in METRICS:

        def compute(name=name):
            model = r.keras.Sequential([r.keras.layers.Lambda(lambda x: x * 1.0, input_shape=(3,))])
            model.compile("sgd", "mse", metrics=[getattr(M, name)()])
            return model.test_on_batch(PROBABILITIES, ONE_HOT)

        r.record("metric " + name, compute)


def optimizers(r):
    K = r.K
    for name in "SGD RMSprop Adagrad Adadelta Adam Adamax Nadam".split():
        settings = [{}, {"clipnorm": 0.5}, {"clipvalue": 0.1}]
        settings += [{"momentum": 0.9, "nesterov": True, "decay": 0.1}] if name == "SGD" else []
        settings += [{"amsgrad": True}] if name == "Adam" else []
        for setting in settings:

            def compute(name=name, setting=setting):
                w = K.variable(np.array([1.0, -2.0, 0.0, 3.0]))
                loss = K.sum(K.square(w) * K.constant([1.0, 0.5, 0.0, 0.0]))
                optimizer = getattr(r.keras.optimizers, name)(**setting)
                step = K.function([], [loss], updates=optimizer.get_updates(loss, [w]))
                for _ in range(5):
                    step([])
                return [K.eval(w)]

            r.record("optimizer " + " ".join([name] + sorted(setting)), compute)


def the_rest(r):
    K, keras = r.K, r.keras
    for name in "glorot_uniform he_normal lecun_uniform truncated_normal orthogonal".split():

        def compute(name=name):
            made = getattr(keras.initializers, name)(seed=3)((3, 4))
            return [made if isinstance(made, np.ndarray) else K.eval(made)]

        r.record("initializer " + name, compute)
    for name, made in (("identity", (3, 3)), ("zeros", (2,)), ("ones", (2,))):
        r.record(
            "initializer " + name,
            lambda n=name, s=made: [
                K.eval(K.variable(K.eval(getattr(keras.initializers, n)()(s))))
            ],
        )
    for name in "max_norm min_max_norm unit_norm non_neg".split():
        r.function(
            "constraint " + name, lambda v, n=name: getattr(keras.constraints, n)()(v), 1 + TIES
        )
    r.function("regularizer l1_l2", lambda v: keras.regularizers.l1_l2(0.1, 0.2)(v), TIES)


def run():
    recorder = Recorder()
    for part in (
        functions,
        losses,
        pooling,
        convolutions,
        layers,
        masks,
        metrics,
        optimizers,
        the_rest,
    ):
        part(recorder)
    return recorder.results


def save(path, results, **meta):
    """Shapes and errors as JSON, and all numbers in one array."""
    index = [
        (name, [a.shape for a in v] if isinstance(v, list) else v) for name, v in results.items()
    ]
    numbers = [a.ravel() for v in results.values() if isinstance(v, list) for a in v]
    np.savez_compressed(
        path,
        meta=np.array(json.dumps(meta, sort_keys=True)),
        index=np.array(json.dumps(index)),
        numbers=np.concatenate(numbers),
    )


def load(path):
    """{name: list of arrays, or an error's name} of a file that `save` wrote."""
    with np.load(path) as data:
        index, numbers = json.loads(str(data["index"])), data["numbers"]
    results, at = {}, 0
    for name, shapes in index:
        if not isinstance(shapes, list):
            results[name] = shapes
            continue
        results[name] = []
        for shape in shapes:
            size = int(np.prod(shape))
            results[name].append(numbers[at : at + size].reshape(shape))
            at += size
    return results


if __name__ == "__main__":
    save(sys.argv[1], run())
