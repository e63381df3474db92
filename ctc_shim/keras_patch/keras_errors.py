"""Errors about a batch that call the arguments as Keras does."""

import re
from typing import Any

from ctc_shim import input_errors

# What stands in our errors, and what Keras calls it.
KERAS_WORDS = {
    "target_lengths": "label_length",
    "input_lengths": "input_length",
    "targets": "y_true",
    "logits": "y_pred",
    "infeasible='inf'": "ctc_shim.patch_keras(infeasible='inf')",
}
# Not again where an error is made from its own text, as pickle and Theano do.
_OURS = re.compile(r"(?<!patch_keras\()(?<!\w)(?:%s)" % "|".join(KERAS_WORDS))


class BatchCostInputError(input_errors.CTCInputError):
    """A CTCInputError that calls the arguments as Keras does."""

    def __init__(self, *report: Any) -> None:
        super().__init__(*report)
        ours, end, theirs = self.args[0].partition("\n")  # Theano adds lines about its graph
        self.args = (_OURS.sub(lambda found: KERAS_WORDS[found.group()], ours) + end + theirs,)


class BatchCostInfeasibleError(BatchCostInputError, input_errors.InfeasibleTargetError):
    """A target that needs more frames than there are."""
