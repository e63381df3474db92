"""Find out why a CTC loss is infinite, NaN, wrong or refused, before training or when it happens.

`check_batch` checks the arrays of one batch; `ctc_shim.diagnose.training` has wrappers and a
callback that do so while legacy Keras trains. A bad batch raises nothing: all that is found is in
the report, with advice.
"""

from ctc_shim.diagnose import training
from ctc_shim.diagnose.check import check_batch
from ctc_shim.diagnose.report import BatchReport, Finding

__all__ = ["BatchReport", "Finding", "check_batch", "training"]
