"""Mistakes in a program: both type checkers must report the lines marked `# error`, no other.

check.py compares.
"""

import numpy as np

import ctc_shim

logits = np.zeros((2, 8, 5), dtype=np.float32)
targets = np.array([[1, 2], [3, 0]])
lengths = np.array([8, 6])
batch = (logits, targets, lengths, lengths)

# Names that are not there.
ctc_shim.ctc_los(*batch)  # error
ctc_shim.reference.ctc_los(*batch)  # error
ctc_shim.theano_alias.install_alias()  # error

# Arguments that are not there, are missing, or are positional where they must be named.
ctc_shim.ctc_loss(*batch, blnk=0)  # error
ctc_shim.ctc_loss(logits, targets, lengths)  # error
ctc_shim.ctc_loss(logits, targets, lengths, lengths, 0, True)  # error
ctc_shim.ctc_align(*batch, blnk=0)  # error
ctc_shim.ctc_posteriors(*batch, normalise=True)  # error
ctc_shim.ctc_greedy_decode(logits, lengths, beam_width=3)  # error
ctc_shim.ctc_beam_search_decode(logits, lengths, width=3)  # error
ctc_shim.check_batch(logits, targets)  # error
ctc_shim.patch_keras(policy="inf")  # error

# Values of the wrong type.
ctc_shim.ctc_loss(*batch, blank="last")  # error
ctc_shim.ctc_loss(*batch, infeasible=0)  # error
ctc_shim.ctc_greedy_decode(logits, lengths, merge_repeated="yes")  # error
ctc_shim.ctc_beam_search_decode(logits, lengths, beam_width=2.5)  # error

# Results used as what they are not.
count: int = ctc_shim.keras_is_patched().name  # error
ctc_shim.ctc_align(*batch).spans()  # error
