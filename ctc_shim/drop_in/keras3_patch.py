"""Keras 3 on the JAX, PyTorch and numpy backends: its CTC functions replaced by ours, on request.

`ctc_shim.patch_keras` calls `patch`. The two functions of Keras' backend are replaced, so that
keras.ops.ctc_loss, keras.ops.ctc_decode and keras.losses.CTC are served alike. On TensorFlow they
are TensorFlow's own, and are left alone.
"""

import sys
from typing import Any, Callable, List, Optional, Tuple

import numpy as np

from ctc_shim.decode import ctc_beam_search_decode, ctc_greedy_decode
from ctc_shim.loss import ctc_loss
from ctc_shim.patching import import_hooks
from ctc_shim.patching.ledger import LOCK, Ledger

SERVED = ("jax", "torch", "numpy")
BACKEND = "keras.src.backend"

_ledger = Ledger("keras3_patch")


def patch(policy: Callable[[], str]) -> None:
    """Patch Keras 3 if it is loaded, else when it is imported. `policy` is asked at each call."""

    def patch_keras_3(keras: Any) -> None:
        nn = _functions_of_the_backend(keras)
        if nn is None:
            return
        made = _replacements(sys.modules[BACKEND], policy)
        with LOCK:
            if not _ledger.touched() or (nn.__name__, "ctc_loss") in touched():
                return
            for name, replacement in made:
                _ledger.replace(vars(nn)[name], replacement)

    with LOCK:
        if not _ledger.touched():
            import_hooks.register(_ledger, "keras", patch_keras_3)
    import_hooks.call_if_loaded("keras", patch_keras_3)


def unpatch() -> None:
    _ledger.undo()


def is_patched() -> bool:
    """Is the loaded Keras 3 patched at this moment?"""
    return "ctc_loss" in [name for _, name in touched()]


def is_armed() -> bool:
    """Is it patched, or will it be when it is imported?"""
    return bool(_ledger.touched())


def touched() -> List[Tuple[str, str]]:
    """The (module, name) pairs now bound to a function of ours."""
    return [(place.where, place.name) for place in _ledger.touched() if place.where in sys.modules]


def nothing_to_patch(version: str) -> str:
    """Why Keras 3 is left alone."""
    backend: Any = sys.modules.get(BACKEND)
    name = backend.backend() if hasattr(backend, "backend") else ""
    if name:
        return (
            "Keras %s runs on the %s backend, which keeps its own CTC: nothing to patch (ctc_shim "
            "serves Keras 3 on %s)" % (version, name, ", ".join(SERVED))
        )
    return (
        "Keras %s has no Theano backend: nothing to patch (ctc_shim patches Keras 1.0.8 - 2.3.1, "
        "and Keras 3 on %s)" % (version, ", ".join(SERVED))
    )


def _functions_of_the_backend(keras: Any) -> Optional[Any]:
    """The module with ctc_loss and ctc_decode of a loaded Keras 3, where we serve its backend."""
    backend: Any = sys.modules.get(BACKEND)
    if not str(getattr(keras, "__version__", "")).startswith("3.") or backend is None:
        return None
    return backend.nn if backend.backend() in SERVED else None


def _replacements(backend: Any, policy: Callable[[], str]) -> List[Tuple[str, Any]]:
    """(name, function) for a ``keras.src.backend``."""

    def floats(values: Any) -> Any:
        values = backend.convert_to_tensor(values)
        given = backend.standardize_dtype(values.dtype)
        return backend.cast(values, backend.result_type(given, "float32"))

    def integers(values: Any) -> Any:
        """Keras' losses turn labels into floats on their way here."""
        values = backend.convert_to_tensor(values)
        return values if "int" in backend.standardize_dtype(values.dtype) else _int32(values)

    def _int32(values: Any) -> Any:
        return backend.cast(values, "int32")

    def keras_ctc_loss(
        target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0
    ) -> Any:
        """CTC loss (N,) in the place of Keras': see `ctc_shim.ctc_loss`."""
        lengths = integers(output_length), integers(target_length)
        infeasible = "inf" if policy() == "tensorflow" else policy()
        batch = floats(output), integers(target), lengths[0], lengths[1]
        return ctc_loss(*batch, blank=mask_index, infeasible=infeasible)

    def keras_ctc_decode(
        inputs: Any,
        sequence_lengths: Any,
        strategy: str = "greedy",
        beam_width: int = 100,
        top_paths: int = 1,
        merge_repeated: bool = True,
        mask_index: Optional[int] = 0,
    ) -> Tuple[Any, Any]:
        """Labels (paths, N, T), padded with -1, and scores (N, paths), as Keras'.

        See `ctc_shim.ctc_greedy_decode` and `ctc_shim.ctc_beam_search_decode`.
        """
        blank = -1 if mask_index is None else mask_index
        scores, lengths = floats(inputs), integers(sequence_lengths)
        if strategy == "greedy":
            labels, log_probs = ctc_greedy_decode(
                scores, lengths, blank, normalize=False, merge_repeated=merge_repeated
            )
            labels, log_probs = labels[:, None], -log_probs[:, None]
        elif strategy == "beam_search":
            labels, log_probs = ctc_beam_search_decode(
                scores, lengths, blank, beam_width=beam_width, top_paths=top_paths
            )
        else:
            raise ValueError(
                "Invalid strategy %s. Supported values are 'greedy' and 'beam_search'." % strategy
            )
        missing = scores.shape[1] - labels.shape[2]  # JAX gives all T columns
        if missing:
            filling = np.full(tuple(labels.shape[:2]) + (missing,), -1)
            columns = [labels, backend.convert_to_tensor(filling, dtype=labels.dtype)]
            labels = backend.numpy.concatenate(columns, axis=2)
        return _int32(backend.numpy.transpose(labels, (1, 0, 2))), log_probs

    made: List[Tuple[str, Any]] = [("ctc_loss", keras_ctc_loss), ("ctc_decode", keras_ctc_decode)]
    for name, function in made:
        function.__name__ = name
    return made
