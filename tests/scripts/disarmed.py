"""With CTC_SHIM_PATCH=0, nothing is patched until patch_keras() is called."""

import ctc_shim
from keras import backend

assert not ctc_shim.keras_is_patched()
assert backend.ctc_batch_cost.__module__.startswith("keras.")
assert ctc_shim.patch_keras() is True and backend.ctc_batch_cost.__module__.startswith("ctc_shim.")
ctc_shim.unpatch_keras()
assert backend.ctc_batch_cost.__module__.startswith("keras.")
print("fine")
