"""optax.ctc_loss and optax.ctc_loss_with_forward_probs replaced by ours, on request.

Nothing is patched before `patch_optax` is called. It acts at once if optax is loaded, else when it
is imported.
"""

import functools
import importlib.util
import warnings
from typing import Any, Callable, Dict, Optional, Tuple

from ctc_shim.jax import optax_loss
from ctc_shim.patching import import_hooks
from ctc_shim.patching.ledger import LOCK, Ledger

_ledger = Ledger("optax_patch")
_state = {"infeasible": "inf"}


class OptaxPatchWarning(UserWarning):
    """patch_optax() was called where there is nothing to patch."""


def patch_optax(infeasible: Optional[str] = None) -> bool:
    """Put our loss in the place of optax' CTC functions, wherever they are bound.

    They are ctc_loss and ctc_loss_with_forward_probs of optax and optax.losses. The numbers are
    optax' where these are right; docs/jax.md lists the differences. Calling it twice is safe.

    Parameters
    ----------
    infeasible : {"inf", "zero"}, optional
        The loss of a target that does not fit its frames. Default: unchanged, at first "inf".
        Functions that JAX has compiled before keep theirs.

    Returns
    -------
    bool
        True if optax is patched now. False if it is not loaded yet (it will be patched when it is
        imported), or not installed, which an OptaxPatchWarning says.

    Raises
    ------
    ValueError
        `infeasible` is none of these.
    """
    if infeasible is not None:
        _state["infeasible"] = optax_loss.check_policy(infeasible)
    with LOCK:
        if not _ledger.touched():
            import_hooks.register(_ledger, "optax", _patch)
    import_hooks.call_if_loaded("optax", _patch)
    is_patched = optax_is_patched()
    if not is_patched and importlib.util.find_spec("optax") is None:
        warnings.warn(
            "no optax is installed here: nothing to patch. ctc_shim.jax.ctc_loss has its signature",
            OptaxPatchWarning,
            stacklevel=2,
        )
    return is_patched


def unpatch_optax() -> None:
    """Restore optax' own functions everywhere. Calling it twice is safe."""
    _ledger.undo()


def optax_is_patched() -> bool:
    """Is the loaded optax patched at this moment?"""
    return ("optax", "ctc_loss") in [(place.where, place.name) for place in _ledger.touched()]


def _patch(optax: Any) -> None:
    with LOCK:
        if not _ledger.touched():  # unpatched by another thread meanwhile
            return
        for name, replacement in replacements().items():
            original = vars(optax).get(name)
            if original is not None and original is not replacement:
                _ledger.replace(original, replacement)


@functools.lru_cache(maxsize=None)
def replacements() -> Dict[str, Callable[..., Any]]:
    """{name: our function}. They are bound in no module of ours: undoing a patch replaces them
    wherever they are bound."""

    def ctc_loss(
        logits: Any,
        logit_paddings: Any,
        labels: Any,
        label_paddings: Any,
        blank_id: int = 0,
        log_epsilon: Any = -1e5,
    ) -> Any:
        """CTC loss (B,) in the place of optax': see `ctc_shim.jax.ctc_loss`."""
        batch = logits, logit_paddings, labels, label_paddings, blank_id, log_epsilon
        return optax_loss.ctc_loss(*batch, infeasible=_state["infeasible"])

    def ctc_loss_with_forward_probs(
        logits: Any,
        logit_paddings: Any,
        labels: Any,
        label_paddings: Any,
        blank_id: int = 0,
        log_epsilon: Any = -1e5,
    ) -> Tuple[Any, Any, Any]:
        """In the place of optax': see `ctc_shim.jax.ctc_loss_with_forward_probs`."""
        batch = logits, logit_paddings, labels, label_paddings, blank_id, log_epsilon
        return optax_loss.ctc_loss_with_forward_probs(*batch, infeasible=_state["infeasible"])

    return {function.__name__: function for function in (ctc_loss, ctc_loss_with_forward_probs)}
