"""What the emulated kernel must return for a case."""

import numpy as np
from comparing import assert_contract
from fake_cuda import rounded

from ctc_shim import reference


def wanted(c, kind):
    return reference.ctc_loss_and_gradient(
        rounded(c.logits, kind), c.targets, c.input_lengths, c.target_lengths, **c.options
    )


def check(gpu, c, kind, **options):
    loss, gradient = gpu.compute(c, kind, **options)
    assert_contract(loss, gradient, wanted(c, kind), c, kind)
    np.testing.assert_array_equal(gpu.compute(c, kind, with_gradient=False, **options)[0], loss)
