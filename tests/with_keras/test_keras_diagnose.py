"""The wrappers of generators and Sequences and the callback, on a real legacy Keras."""

import pickle
import warnings

import keras
import numpy as np
import pytest
from keras import backend as K

import ctc_shim  # noqa: F401, patches
from ctc_shim import CTCInputError
from ctc_shim.diagnose.training import (
    CTCBatchWarning,
    check_callback,
    check_keras_batch,
    checked_batches,
    checked_sequence,
)

N, T, C, S = 4, 8, 5, 3


def inputs(labels=None, frames=T):
    rng = np.random.RandomState(0)
    return {
        "the_input": rng.rand(N, 2 * T, 3).astype("float32"),
        "the_labels": np.tile(labels or [0, 1, 2], (N, 1)).astype("float32"),
        "input_length": np.full((N, 1), float(frames)),
        "label_length": np.full((N, 1), float(S)),
    }


def outputs():
    return {"ctc": np.zeros(N)}


def batches(labels=None, frames=T):
    while True:
        yield inputs(labels, frames), outputs()


@pytest.fixture(scope="module")
def model():
    """A softmax on every second frame, and the loss in a Lambda layer as in image_ocr.py."""
    L = keras.layers
    frames = L.Input(name="the_input", shape=(2 * T, 3), dtype="float32")
    half = L.Lambda(lambda x: x[:, ::2], output_shape=(T, 3))(frames)
    dense = L.TimeDistributed(L.Dense(C, activation="softmax"), name="softmax")(half)
    others = [
        L.Input(name=name, shape=shape, dtype="float32")
        for name, shape in (("the_labels", [S]), ("input_length", [1]), ("label_length", [1]))
    ]
    cost = L.Lambda(
        lambda a: K.ctc_batch_cost(a[1], a[0], a[2], a[3]), output_shape=(1,), name="ctc"
    )([dense] + others)
    model = keras.models.Model([frames] + others, cost)
    model.compile(loss={"ctc": lambda y_true, y_pred: y_pred}, optimizer="sgd")
    # Fixed weights: random ones may make a network that outputs only blanks.
    model.set_weights([np.random.RandomState(0).randn(3, C), np.zeros(C)])
    return model


def fit(model, data, callback):
    """One epoch; Keras 1 names the argument nb_epoch."""
    epochs = {"nb_epoch" if keras.__version__.startswith("1.") else "epochs": 1}
    model.fit(data, outputs(), batch_size=N, verbose=0, callbacks=[callback], **epochs)


def test_good_batches_pass_silently():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        passed = checked_batches(batches(), batches=1)
        first, second = next(passed), next(passed)
    assert sorted(first[0]) == [
        "input_length",
        "label_length",
        "the_input",
        "the_labels",
    ] and second[1]["ctc"].shape == (N,)


def test_only_the_first_batches_are_checked():
    passed = checked_batches(batches([1, 1, 1], frames=4), batches=2, frames=4, classes=C)
    for number in (0, 1):
        with pytest.warns(CTCBatchWarning, match="batch %d: (?s:.)*1 missing" % number):
            next(passed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        next(passed)


def test_inputs_in_a_list_and_an_error_that_stops():
    data = inputs([1, 4, 1])
    listed = (
        [data[name] for name in ("the_input", "the_labels", "input_length", "label_length")],
        outputs(),
    )
    with pytest.raises(CTCInputError, match="label-is-blank"):
        next(checked_batches([listed], names=(1, 2, 3), classes=C, on_error="raise"))


@pytest.mark.parametrize(
    "names, text",
    [
        (
            ("labels", "input_length", "label_length"),
            "no 'labels', there are 'input_length', 'label_length', 'the_input', 'the_labels'",
        ),
        ((1, 2, 3), "no 1, there are 'input_length'"),
    ],
)
def test_names_that_are_not_among_the_inputs(model, names, text):
    with pytest.raises(ValueError, match="names must be .*" + text):
        next(checked_batches(batches(), names=names))
    with pytest.raises(ValueError, match="names must be .*" + text):
        fit(model, inputs(), check_callback(inputs(), names=names))


def test_indices_that_are_not_among_the_inputs():
    listed = (
        [inputs()[name] for name in ("the_labels", "input_length", "label_length")],
        outputs(),
    )
    for names, text in (((1, 2, 3), "no 3"), (("the_labels", 1, 2), "no 'the_labels'")):
        with pytest.raises(ValueError, match=text + ", there are 0, 1, 2$"):
            next(checked_batches([listed], names=names))


def test_an_unknown_on_error():
    with pytest.raises(ValueError, match="on_error must be"):
        check_callback({}, on_error="shrug")


def test_arguments_in_the_order_of_keras():
    report = check_keras_batch([[0, 1]], np.full((1, 4, 3), 1 / 3.0), [[4]], [[2]])
    assert report.ok and report.sizes["C"] == 3


def test_the_callback_checks_the_output_of_the_network(model):
    data = inputs()
    callback = check_callback(data, rows=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CTCBatchWarning)
        fit(model, data, callback)
    assert len(callback.reports) == 2 and callback.reports[0].sizes == {
        "N": 3,
        "T": T,
        "C": C,
        "S": S,
        "blank": C - 1,
    }


def test_lengths_counted_before_the_stride(model):
    data = inputs(frames=2 * T)
    with pytest.raises(CTCInputError, match="before training(?s:.)*about 2 times T = 8"):
        fit(model, data, check_callback(data, layer="softmax", on_error="raise"))


def test_a_loss_that_is_infinite_is_explained(model):
    callback = check_callback(inputs([1, 1, 1], frames=4))
    callback.model = model
    with pytest.warns(CTCBatchWarning), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Theano compiles with a newer numpy
        callback.on_train_begin()
    with pytest.warns(CTCBatchWarning, match="whose loss is inf(?s:.)*Why is my loss inf"):
        callback.on_batch_end(7, {"loss": np.inf})
    callback.on_batch_end(8, {"loss": 1.0})
    assert len(callback.reports) == 2


class Batches(getattr(keras.utils, "Sequence", object)):
    """Four batches; the labels of batch `wrong` do not fit. On module level for pickle."""

    def __init__(self, wrong=None):
        self.wrong, self.epochs, self.note = wrong, 0, "mine"

    def __len__(self):
        return 4

    def __getitem__(self, number):
        return (inputs([1, 1, 1], frames=4) if number == self.wrong else inputs()), outputs()

    def on_epoch_end(self):
        self.epochs += 1


with_sequence = pytest.mark.skipif(
    not hasattr(keras.utils, "Sequence"), reason="this Keras has no Sequence"
)


@with_sequence
def test_a_sequence_is_checked_in_its_first_epoch():
    checked = checked_sequence(Batches(wrong=1), frames=T, classes=C)
    assert (
        isinstance(checked, keras.utils.Sequence) and len(checked) == 4 and checked.note == "mine"
    )
    with pytest.warns(CTCBatchWarning, match="batch 1: (?s:.)*1 missing"):
        assert checked[1][0]["input_length"][0, 0] == 4
    copy = pickle.loads(pickle.dumps(checked))
    with pytest.warns(CTCBatchWarning, match="batch 1"):
        copy[1]
    checked.on_epoch_end()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checked[1], pickle.loads(pickle.dumps(checked))[1]
        checked_sequence(Batches(wrong=3))[3]
    assert checked.epochs == 1 and copy.epochs == 0


@with_sequence
def test_a_sequence_in_fit_generator(model):
    sequence = Batches()
    with warnings.catch_warnings():
        warnings.simplefilter("error", CTCBatchWarning)
        model.fit_generator(
            checked_sequence(sequence, frames=T, classes=C), steps_per_epoch=4, epochs=2, verbose=0
        )
    assert sequence.epochs >= 1  # Keras may stop its thread before the last on_epoch_end
    # Some releases turn a worker's error into a StopIteration; Python 3.7 a RuntimeError.
    with pytest.raises((CTCInputError, RuntimeError)) as caught:
        model.fit_generator(
            checked_sequence(Batches(wrong=2), frames=T, on_error="raise"),
            steps_per_epoch=4,
            epochs=1,
            verbose=0,
        )
    messages, error = [], caught.value
    while error is not None:
        messages.append(str(error))
        error = error.__cause__ or error.__context__
    assert "batch 2: CTC batch" in "".join(messages)


def test_a_generator_is_not_a_sequence():
    with pytest.raises(TypeError, match="sequence must be a keras.utils.Sequence, got generator"):
        checked_sequence(batches())
