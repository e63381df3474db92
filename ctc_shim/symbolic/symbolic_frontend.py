"""CTC of symbolic variables: what the public functions do with them."""

from typing import Any, Tuple

from ctc_shim.contract import Batch, DecodeOptions, Options
from ctc_shim.native.best_path import Alignment
from ctc_shim.symbolic.align_op import CTCAlignOp
from ctc_shim.symbolic.decode_op import CTCDecodeOp
from ctc_shim.symbolic.library import library_of
from ctc_shim.symbolic.loss_op import CTCLossOp


def ctc_loss(batch: Batch, options: Options) -> Any:
    return CTCLossOp.of(library_of(*batch), *options, False)(*batch)


def ctc_loss_and_gradient(batch: Batch, options: Options) -> Any:
    return CTCLossOp.of(library_of(*batch), *options, True)(*batch, return_list=True)


def ctc_align(batch: Batch, options: Options) -> Alignment:
    op = CTCAlignOp.of(library_of(*batch), "alignment", *options)
    return Alignment(*op(*batch, return_list=True))


def ctc_posteriors(batch: Batch, options: Options) -> Any:
    return CTCAlignOp.of(library_of(*batch), "posteriors", *options)(*batch)


def ctc_decode(logits: Any, input_lengths: Any, options: DecodeOptions) -> Tuple[Any, ...]:
    op = CTCDecodeOp.of(library_of(logits, input_lengths), *options)
    labels, log_probs, *fields = op(logits, input_lengths, return_list=True)
    return (labels, log_probs) + ((Alignment(*fields),) if options.spans else ())
