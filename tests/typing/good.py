"""A user's program with every public name: the type checkers must report nothing (see check.py)."""

from typing import Any

import numpy as np

import ctc_shim

logits = np.zeros((2, 8, 5), dtype=np.float32)
targets = np.array([[1, 2], [3, 0]])
input_lengths, target_lengths = np.array([8, 6]), np.array([2, 1])
batch = (logits, targets, input_lengths, target_lengths)

version: str = ctc_shim.__version__

# Loss, alignment, decoding.
loss: Any = ctc_shim.ctc_loss(logits, targets, input_lengths, target_lengths, blank=-1)
other: Any = ctc_shim.ctc_loss(*batch, 0, normalize=False, infeasible="zero", time_major=False)
both: Any = ctc_shim.CTCLoss(blank=0)(*batch)
value, gradient = ctc_shim.ctc_loss_and_gradient(*batch)
found: ctc_shim.Alignment = ctc_shim.ctc_align(logits, targets, input_lengths, target_lengths)
path: Any = found.path
labels = [(span.label, span.start, span.end) for span in found.spans(0)]
posteriors: Any = ctc_shim.ctc_posteriors(*batch, infeasible="inf")
best: Any = ctc_shim.ctc_greedy_decode(logits, input_lengths, merge_repeated=True)
beams: Any = ctc_shim.ctc_beam_search_decode(logits, input_lengths, beam_width=8, top_paths=2)
places: ctc_shim.Alignment = ctc_shim.ctc_greedy_decode(logits, input_lengths, spans=True)[2]

# With the signatures of optax.
per_row: Any = ctc_shim.jax.ctc_loss(logits, logits[:, :, 0], targets, targets, blank_id=0)
probabilities = ctc_shim.jax.ctc_loss_with_forward_probs(logits, logits[:, :, 0], targets, targets)

# Diagnosis and errors.
print(ctc_shim.check_batch(logits, targets, input_lengths, target_lengths, blank=0))
report = ctc_shim.diagnose.check_batch(*batch)
ctc_shim.plot.posterior_map(posteriors[0])
try:
    ctc_shim.ctc_align(*batch, infeasible="raise")
except ctc_shim.InfeasibleTargetError as error:
    print(error)
except ctc_shim.CTCInputError as error:
    print(error)

# Patching.
ctc_shim.patch_keras(infeasible="tensorflow", like="theano")
patched: bool = ctc_shim.keras_is_patched()
ctc_shim.unpatch_keras()
with ctc_shim.patched_keras(infeasible="inf"):
    pass
ctc_shim.patch_optax(infeasible="zero")
optax_patched: bool = ctc_shim.optax_is_patched()
ctc_shim.unpatch_optax()
ctc_shim.patch_theano_ctc()
theano_patched: bool = ctc_shim.theano_ctc_is_patched()
ctc_shim.unpatch_theano_ctc()
ctc_shim.patch_torch(exact=True)
torch_patched: bool = ctc_shim.torch_is_patched()
ctc_shim.unpatch_torch()
with ctc_shim.theano_alias.install():
    pass
handle = ctc_shim.theano_alias.install()
handle.uninstall()

# The reference in numpy.
exact: Any = ctc_shim.reference.ctc_loss(*batch)
truth: Any = ctc_shim.reference.ctc_loss_brute_force(*batch)
value_and_gradient: Any = ctc_shim.reference.ctc_loss_and_gradient(*batch)
stock: Any = ctc_shim.legacy_formulas.stock_keras_loss(
    logits, targets, input_lengths, target_lengths
)
