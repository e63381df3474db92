"""check_batch for legacy Keras: check the first batches of a training.

>>> model.fit_generator(checked_batches(batches), ...)                 # doctest: +SKIP
>>> model.fit_generator(checked_sequence(sequence), workers=4, ...)    # doctest: +SKIP
>>> model.fit(inputs, outputs, callbacks=[check_callback(inputs)])     # doctest: +SKIP

The default names of the inputs are those of Keras' image_ocr.py. If the inputs are a list, pass
their indices. Keras is imported by the functions that need it.
"""

import functools
from typing import Any, Iterable, Iterator, NamedTuple, Optional

from ctc_shim.diagnose.keras_batches import (
    NAMES,
    CTCBatchWarning,
    Names,
    check_keras_batch,
    check_on_error,
    publish,
    select_inputs,
)
from ctc_shim.diagnose.training_callback import check_callback

__all__ = [
    "CTCBatchWarning",
    "check_callback",
    "check_keras_batch",
    "checked_batches",
    "checked_sequence",
]


def checked_batches(
    generator: Iterable[Any],
    names: Names = NAMES,
    batches: int = 3,
    frames: Optional[int] = None,
    classes: Optional[int] = None,
    on_error: str = "warn",
) -> Iterator[Any]:
    """Yield the batches of `generator` unchanged, and check the first ones.

    Parameters
    ----------
    generator : iterable
        Of (inputs, outputs) or (inputs, outputs, weights), as for fit_generator; inputs is a dict
        or a list.
    names : (labels, input_length, label_length)
        Keys or indices of the three among the inputs.
    batches : int
        How many batches to check.
    frames, classes : int, optional
        T and C of the network's output, if known
        (``model.get_layer("softmax").output_shape[1:]``).
    on_error : {"warn", "raise"}
        Issue a CTCBatchWarning with the report, or raise a CTCInputError with it.
    """
    check_on_error(on_error)
    check = _BatchCheck(names, batches, frames, classes, on_error)
    for number, batch in enumerate(generator):
        check(number, batch)
        yield batch


def checked_sequence(
    sequence: Any,
    names: Names = NAMES,
    batches: int = 3,
    frames: Optional[int] = None,
    classes: Optional[int] = None,
    on_error: str = "warn",
) -> Any:
    """A keras.utils.Sequence like `sequence` that checks the first batches in the first epoch.

    It can be pickled if `sequence` can, so it works with worker processes; a warning then appears
    in the process that draws the batch. ImportError when Keras has no Sequence.

    Parameters
    ----------
    sequence : keras.utils.Sequence
        Of (inputs, outputs) or (inputs, outputs, weights); inputs is a dict or a list.
    names, batches, frames, classes, on_error
        As in `checked_batches`; the batches numbered below `batches` are checked.
    """
    if not (hasattr(sequence, "__len__") and hasattr(sequence, "__getitem__")):
        raise TypeError(
            "sequence must be a keras.utils.Sequence, got %s (use checked_batches for a generator)"
            % type(sequence).__name__
        )
    check_on_error(on_error)
    check = _BatchCheck(names, batches, frames, classes, on_error)
    return _sequence_class()(sequence, check)


class _BatchCheck(NamedTuple):
    """Checks the batches numbered below `batches`; can be pickled."""

    names: Names
    batches: int
    frames: Optional[int]
    classes: Optional[int]
    on_error: str

    def __call__(self, number: int, batch: Any) -> None:
        if number < self.batches:
            labels, frames, counts = select_inputs(batch[0], self.names)
            report = check_keras_batch(labels, None, frames, counts, self.frames, self.classes)
            publish(report, "batch %d" % number, self.on_error)


@functools.lru_cache()
def _sequence_class() -> Any:
    import keras

    if not hasattr(keras.utils, "Sequence"):
        raise ImportError(
            "checked_sequence needs a Keras with keras.utils.Sequence, this is Keras %s"
            % keras.__version__
        )

    class CheckedSequence(keras.utils.Sequence):  # type: ignore[misc]  # Keras has no types
        def __init__(self, sequence: Any, check: _BatchCheck, first_epoch: bool = True) -> None:
            self.sequence, self.check, self.first_epoch = sequence, check, first_epoch

        def __reduce__(self) -> Any:  # pickle cannot find a class made inside a function
            return _rebuild_sequence, (self.sequence, self.check, self.first_epoch)

        def __len__(self) -> int:
            return len(self.sequence)

        def __getitem__(self, number: int) -> Any:
            batch = self.sequence[number]
            if self.first_epoch:
                self.check(number, batch)
            return batch

        def on_epoch_end(self) -> None:
            self.first_epoch = False
            self.sequence.on_epoch_end()

        def __getattr__(self, name: str) -> Any:
            if name == "sequence":  # before __init__: no endless recursion
                raise AttributeError(name)
            return getattr(self.sequence, name)

    return CheckedSequence


def _rebuild_sequence(*arguments: Any) -> Any:
    return _sequence_class()(*arguments)
