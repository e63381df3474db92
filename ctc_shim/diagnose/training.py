"""check_batch for legacy Keras: wrappers of a generator and of a Sequence and a callback that look at the first batches.

>>> model.fit_generator(checked_batches(batches), ...)                          # doctest: +SKIP
>>> model.fit_generator(checked_sequence(sequence), workers=4, ...)             # doctest: +SKIP
>>> model.fit(inputs, outputs, callbacks=[check_callback(inputs)])              # doctest: +SKIP

The names of the inputs are those of Keras' image_ocr.py; for inputs in a list, give places in it instead.
Keras is imported when asked for.
"""

import functools
import warnings

import numpy as np

from ctc_shim import contract
from ctc_shim.diagnose import check_batch

NAMES = ("the_labels", "input_length", "label_length")


class CTCBatchWarning(UserWarning):
    """A batch has rows that make the CTC loss infinite, NaN, wrong or refused."""


def check_keras_batch(y_true, y_pred, input_length, label_length, frames=None, classes=None):
    """`check_batch` with the arguments of K.ctc_batch_cost; `y_pred` may be None, see there."""
    return check_batch(
        y_pred, y_true, input_length, label_length, frames=frames, classes=classes, keras=True
    )


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
            _check(number, batch, names, frames, classes, on_error)
        yield batch


def checked_sequence(sequence, names=NAMES, batches=3, frames=None, classes=None, on_error="warn"):
    """`sequence`, a keras.utils.Sequence, as another one whose batches below `batches` are checked in the first epoch.

    It can be pickled where `sequence` can, so that it goes to worker processes as `sequence` does; a warning appears in the
    process that draws the batch. Needs a Keras that has Sequence.

    Parameters
    ----------
    sequence : keras.utils.Sequence
        Of (inputs, outputs) or (inputs, outputs, weights), inputs a dict or a list.
    names, batches, frames, classes, on_error
        As in `checked_batches`.
    """
    for method in ("__len__", "__getitem__"):
        if not hasattr(sequence, method):
            raise TypeError(
                "sequence must be a keras.utils.Sequence, got %s (for a generator there is checked_batches)"
                % type(sequence).__name__
            )
    _check_choice(on_error)
    return _sequence_class()(sequence, names, batches, frames, classes, on_error)


@functools.lru_cache()
def _sequence_class():
    import keras

    if not hasattr(keras.utils, "Sequence"):
        raise ImportError(
            "checked_sequence needs a Keras with keras.utils.Sequence, this is Keras %s"
            % keras.__version__
        )

    class CheckedSequence(keras.utils.Sequence):
        def __init__(self, sequence, *options):
            self.sequence, self.options, self.first_epoch = sequence, options, True

        def __reduce__(self):  # the class is made at run time, so pickle its recipe
            return _rebuild_sequence, (self.first_epoch, self.sequence) + self.options

        def __len__(self):
            return len(self.sequence)

        def __getitem__(self, number):
            batch = self.sequence[number]
            names, batches, frames, classes, on_error = self.options
            if self.first_epoch and number < batches:
                _check(number, batch, names, frames, classes, on_error)
            return batch

        def on_epoch_end(self):
            self.first_epoch = False
            self.sequence.on_epoch_end()

        def __getattr__(self, name):
            if name == "sequence":  # not there yet
                raise AttributeError(name)
            return getattr(self.sequence, name)

    return CheckedSequence


def _rebuild_sequence(first_epoch, *arguments):
    made = _sequence_class()(*arguments)
    made.first_epoch = first_epoch
    return made


def _check(number, batch, names, frames, classes, on_error):
    labels, input_length, label_length = _chosen(batch[0], names)
    _act(
        check_keras_batch(labels, None, input_length, label_length, frames, classes),
        "batch %d" % number,
        on_error,
    )


def _chosen(inputs, names):
    """Labels, input_length and label_length among the inputs."""
    there = sorted(inputs) if isinstance(inputs, dict) else list(range(len(inputs)))
    for name in names:
        if name not in there:
            raise ValueError(
                "names must be the keys (or places in a list) of the labels, the input length and the label length "
                "among the inputs: there is no %r, there are %s"
                % (name, ", ".join(map(repr, there)))
            )
    return [inputs[name] for name in names]


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
            labels, input_length, label_length = (array[:rows] for array in _chosen(inputs, names))
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
        raise contract.CTCInputError(text)
    warnings.warn(text, CTCBatchWarning, stacklevel=3)
