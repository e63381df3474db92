"""One function per aligner: (the path alone, all that it gives) of a batch, as callables.

Each imports its own library only, as in implementations.py. The others give the path and its
scores, this project the spans and confidences of all labels as well. They take log probabilities.
"""

import importlib.util
import os
from typing import Any

from implementations import Arrays, Functions


def ctc_shim(batch: Arrays) -> Functions:
    import numpy as np

    import ctc_shim as ours
    from ctc_shim import contract
    from ctc_shim.native import call, load

    logits, *integers = batch
    checked = contract.Batch(logits, *(array.astype(np.int64) for array in integers))
    return (lambda: call.align(load.kernel(), checked, 0), lambda: ours.ctc_align(*checked))


def torchaudio(batch: Arrays) -> Functions:
    import torch
    from torchaudio.functional import forced_align

    torch.set_num_threads(1)
    logits, *integers = (torch.from_numpy(array) for array in batch)
    log_p = logits.log_softmax(2)
    align = lambda: forced_align(log_p, *integers, 0)  # noqa: E731
    return align, align


def ctc_forced_aligner(batch: Arrays) -> Functions:
    """Its C++ part, without the audio libraries that the package imports."""
    import numpy as np

    found: Any = importlib.util.find_spec("ctc_forced_aligner")
    path = os.path.join(os.path.dirname(found.origin), "ctc_aligner.py")
    spec: Any = importlib.util.spec_from_file_location("ctc_aligner", path)
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    logits, targets = batch[:2]
    log_p = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    align = lambda: module.align_sequences(log_p, targets, 0)  # noqa: E731
    return align, align
