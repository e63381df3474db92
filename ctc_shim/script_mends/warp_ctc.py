"""The names of `ctc`, warp-ctc's binding for Theano, where it is not installed.

Scores (T, N, C) before the softmax, all labels one after the other, blank 0; a target that does not
fit has loss 0, as in warp-ctc.
"""

from typing import Any, Tuple

import numpy as np

from ctc_shim import theano_ctc
from ctc_shim.loss import ctc_loss_and_gradient


def cpu_ctc_th(acts: Any, act_lens: Any, labels: Any, label_lens: Any) -> Any:
    """The loss of each sequence, a symbolic vector (N,)."""
    return theano_ctc.replacements("zero")["ctc"](acts, labels, act_lens, label_lens)


def cpu_ctc_np(acts: Any, act_lens: Any, labels: Any, label_lens: Any) -> Tuple[Any, Any]:
    """The loss of each sequence (N,), and the gradient of their sum by `acts`; float32."""
    lengths = np.array(label_lens, dtype=np.int64)
    rows = np.zeros((len(lengths), lengths.max(initial=0)), dtype=np.int64)
    rows[np.arange(rows.shape[1]) < lengths[:, None]] = labels
    scores = np.array(acts, dtype=np.float32)
    return ctc_loss_and_gradient(
        scores, rows, act_lens, lengths, infeasible="zero", time_major=True
    )
