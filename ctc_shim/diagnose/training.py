"""check_batch for legacy Keras: a generator wrapper and a callback that look at the first batches. Imports keras when asked.

>>> model.fit_generator(checked_batches(batches), ...)                          # doctest: +SKIP
>>> model.fit(inputs, outputs, callbacks=[check_callback(inputs)])              # doctest: +SKIP

The names of the inputs are those of Keras' image_ocr.py; for inputs in a list, give places in it instead.
"""
import warnings

import numpy as np

from .. import checks
from . import check_batch

NAMES = ("the_labels", "input_length", "label_length")


class CTCBatchWarning(UserWarning):
    """A batch has rows that make the CTC loss infinite, NaN, wrong or refused."""


def check_keras_batch(y_true, y_pred, input_length, label_length, frames=None, classes=None):
    """`check_batch` with the arguments of K.ctc_batch_cost; `y_pred` may be None, see there."""
    return check_batch(y_pred, y_true, input_length, label_length, frames=frames, classes=classes, keras=True)


def checked_batches(generator, names=NAMES, batches=3, frames=None, classes=None, on_error="warn"):
    """The batches of `generator`, unchanged, with the first ones checked on their way.

    Parameters
    ----------
    generator : iterable
        Of (inputs, outputs) or (inputs, outputs, weights), inputs a dict or a list, as for fit_generator.
    names : (labels, input_length, label_length)
        Keys or places of the three among the inputs.
    batches : int
        How many to check.
    frames, classes : int, optional
        T and C of the network's output, where known (``model.get_layer("softmax").output_shape[1:]``).
    on_error : {"warn", "raise"}
        A CTCBatchWarning with the report, or a CTCInputError.
    """
    _check_choice(on_error)
    for number, batch in enumerate(generator):
        if number < batches:
            labels, input_length, label_length = (batch[0][name] for name in names)
            _act(check_keras_batch(labels, None, input_length, label_length, frames, classes), "batch %d" % number, on_error)
        yield batch


def check_callback(inputs, names=NAMES, layer=None, rows=32, epochs=3, on_error="warn"):
    """A Keras callback that runs rows of the training data through the network and checks them with its output.

    Before training and after the first epochs, and at once when a batch's loss is infinite or NaN. It knows what
    `checked_batches` cannot: the number of frames that come out of the network, and whether it says anything but blanks.

    Parameters
    ----------
    inputs : dict or list of arrays
        Inputs of the training model, as for fit.
    names : (labels, input_length, label_length)
        Keys or places of the three among the inputs.
    layer : str, optional
        Name of the layer that puts out y_pred; by default the first input of the model's last layer, which is what a Lambda
        around K.ctc_batch_cost takes.
    rows, epochs : int
        How many rows to look at, after how many epochs.
    on_error : {"warn", "raise"}
        As in `checked_batches`.

    Returns
    -------
    keras.callbacks.Callback
        Its `reports` are kept in a list.
    """
    import keras

    _check_choice(on_error)

    class CheckBatches(keras.callbacks.Callback):
        def __init__(self):
            super(CheckBatches, self).__init__()
            self.reports = []

        def on_train_begin(self, logs=None):
            self.predict = _output_function(keras.backend, self.model, layer)
            self.look("before training")

        def on_batch_end(self, batch, logs=None):
            if not np.isfinite((logs or {}).get("loss", 0.0)):
                self.look("after batch %d, whose loss is %s" % (batch, logs["loss"]))

        def on_epoch_end(self, epoch, logs=None):
            if epoch < epochs:
                self.look("after epoch %d" % (epoch + 1))

        def look(self, when):
            if isinstance(inputs, dict):
                arrays = [inputs[name][:rows] for name in self.model.input_names]
            else:
                arrays = [array[:rows] for array in inputs]
            y_pred = self.predict(arrays + [0])[0]
            labels, input_length, label_length = (inputs[name][:rows] for name in names)
            report = check_keras_batch(labels, y_pred, input_length, label_length)
            self.reports.append(report)
            _act(report, when, on_error)

    return CheckBatches()


def _output_function(backend, model, layer):
    """A function of the model's inputs and the learning phase that gives y_pred."""
    y_pred = model.get_layer(layer).output if layer else model.layers[-1].input[0]
    return backend.function(model.inputs + [backend.learning_phase()], [y_pred])


def _check_choice(on_error):
    if on_error not in ("warn", "raise"):
        raise ValueError("on_error must be 'warn' or 'raise', got %r" % (on_error,))


def _act(report, when, on_error):
    """Tell an error as wanted; warnings (an untrained network says blank) are told, never raised."""
    if not report.findings:
        return
    text = "%s: %s" % (when, report)
    if on_error == "raise" and not report.well:
        raise checks.CTCInputError(text)
    warnings.warn(text, CTCBatchWarning, stacklevel=3)
