"""What the lengths of all rows say together: another unit, a constant excess, swapped arguments."""

import numpy as np

from ctc_shim.diagnose.report import BatchReport


def check_lengths(
    report: BatchReport, input_lengths: np.ndarray, target_lengths: np.ndarray
) -> None:
    """Compare the lengths of the readable rows with each other and with T."""
    T, S = report.sizes["T"], report.sizes["S"] or 0
    if not input_lengths.size:
        return
    longest, excess = int(input_lengths.max()), input_lengths - (T or 0)
    is_longer = (target_lengths > input_lengths) & (target_lengths > 0) & (input_lengths <= S)
    if is_longer.all():
        report.add("swapped", "every row has more labels than frames")
    if not T or longest <= 0:
        return
    start = "the longest input length, %d, is " % longest
    factor: float = -(-longest // T)
    if longest >= max(2 * T - 1, T + 1):
        message = start + "about %d times T = %d" % (factor, T)
        report.add("stride", message, factor=factor, longest=longest)
    elif longest > T and (excess == excess[0]).all() and excess[0] <= max(4, T // 10):
        message = "every input length exceeds T = %d by %d" % (T, excess[0])
        report.add("offset", message, excess=int(excess[0]))
    elif longest >= 1.2 * T and T > 4:
        factor = round(longest / T, 2)
        report.add(
            "stride", start + "%g times T = %d" % (factor, T), factor=factor, longest=longest
        )
    elif len(input_lengths) > 1 and T >= 2 * longest:
        factor = T // longest
        message = start + "1/%d of T = %d" % (factor, T)
        report.add("short-lengths", message, factor=factor, longest=longest)
