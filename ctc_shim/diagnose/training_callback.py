"""The Keras callback that checks training data together with the network's output."""

from typing import Any, Dict, List, Optional

import numpy as np

from ctc_shim.diagnose.keras_batches import (
    NAMES,
    Names,
    check_keras_batch,
    check_on_error,
    publish,
    select_inputs,
)
from ctc_shim.diagnose.report import BatchReport


def check_callback(
    inputs: Any,
    names: Names = NAMES,
    layer: Optional[str] = None,
    rows: int = 32,
    epochs: int = 3,
    on_error: str = "warn",
) -> Any:
    """A Keras callback that checks rows of the training data with the network's output for them.

    It checks before training, after each of the first epochs, and when the loss of a batch is
    infinite or NaN. Unlike `checked_batches` it knows how many frames the network outputs, and
    whether it outputs only blanks.

    Parameters
    ----------
    inputs : dict or list of arrays
        Inputs of the training model, as for fit.
    names : (labels, input_length, label_length)
        Keys or indices of the three among the inputs.
    layer : str, optional
        Name of the layer whose output is y_pred. Default: the first input of the model's last
        layer, as in a Lambda layer around K.ctc_batch_cost.
    rows, epochs : int
        How many rows to check, and after how many epochs.
    on_error : {"warn", "raise"}
        As in `checked_batches`.

    Returns
    -------
    keras.callbacks.Callback
        Its attribute `reports` is the list of all reports.
    """
    import keras

    check_on_error(on_error)

    class CheckBatches(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
        def __init__(self) -> None:
            super(CheckBatches, self).__init__()
            self.reports: List[BatchReport] = []

        def on_train_begin(self, logs: Optional[Dict[str, Any]] = None) -> None:
            self.predict = _output_function(keras.backend, self.model, layer)
            self.check("before training")

        def on_batch_end(self, batch: int, logs: Optional[Dict[str, Any]] = None) -> None:
            loss = (logs or {}).get("loss", 0.0)
            if not np.isfinite(loss):
                self.check("after batch %d, whose loss is %s" % (batch, loss))

        def on_epoch_end(self, epoch: int, logs: Optional[Dict[str, Any]] = None) -> None:
            if epoch < epochs:
                self.check("after epoch %d" % (epoch + 1))

        def check(self, when: str) -> None:
            ordered = inputs
            if isinstance(inputs, dict):
                ordered = [inputs[name] for name in self.model.input_names]
            y_pred = self.predict([array[:rows] for array in ordered] + [0])[0]
            labels, input_length, label_length = (
                array[:rows] for array in select_inputs(inputs, names)
            )
            report = check_keras_batch(labels, y_pred, input_length, label_length)
            self.reports.append(report)
            publish(report, when, on_error)

    return CheckBatches()


def _output_function(backend: Any, model: Any, layer: Optional[str]) -> Any:
    """A Keras function from the model's inputs and the learning phase to y_pred."""
    y_pred = model.get_layer(layer).output if layer else model.layers[-1].input[0]
    return backend.function(model.inputs + [backend.learning_phase()], [y_pred])
