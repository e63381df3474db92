"""Runs the shared cases through the launcher and the emulated kernel, all built with sanitizers.

Prints the number of runs. See test_gpu_driver.py.
"""

import cases
import regimes
from comparing import assert_contract
from ctc_shim import reference
from ctc_shim.native import find, gpu_launch
from fake_cuda import FakeCuda

find.variant_path = lambda name: None  # build it here, with the sanitizers
done = 0
with FakeCuda() as gpu:
    for c in (
        cases.all_cases()
        + cases.error_cases()
        + [regimes.case("x15", S=S, T=150, C=4) for S in (31, 32, 33, 64, 70)]
    ):
        for kind in gpu_launch.KINDS:
            for cells in (0, 1):
                loss, gradient = gpu.compute(c, kind, cells=cells, wide=(done % 2 == 0,) * 3)
                if c.error is None and kind == "float64":
                    want = reference.ctc_loss_and_gradient(
                        c.logits, c.targets, c.input_lengths, c.target_lengths, **c.options
                    )
                    assert_contract(loss, gradient, want, c, kind)
                done += 1
print(done)
