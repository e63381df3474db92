"""Random small batches through the emulated GPU kernels, against the CPU's kernel in float64.

    python tests/gpu/gpu_fuzz.py [BATCHES] [SEED]

From the top of the repository, with tests/ on PYTHONPATH. Prints what was computed, which share the
careful path got, and the largest errors of the fast path; fails at the first wrong result.
"""

import sys

import cases
import numpy as np
from fake_cuda import FakeCuda, rounded

from ctc_shim.contract import Batch, Options
from ctc_shim.native import host

SCALES = (0.01, 1, 3, 8, 15, 30, 60)
SHAPES = ("plain", "blank ahead", "peaks", "-inf", "-1e9", "constant", "few classes", "log p")


def random_case(rng):
    """(case, dtype, upstream, scale, shape) of a random batch."""
    shape, scale = SHAPES[rng.randint(len(SHAPES))], SCALES[rng.randint(len(SCALES))]
    is_long = rng.rand() < 0.1  # several warps
    N, T = (2, rng.randint(60, 260)) if is_long else (3, rng.randint(1, 90))
    C = rng.randint(2, 4) if shape == "few classes" else rng.choice([3, 12, 33, 70, 140])
    S, blank = rng.randint(0, min(200 if is_long else 60, T + 3)), rng.randint(C)
    logits = rng.randn(N, T, C) * scale
    if shape == "blank ahead":
        logits[:, :, blank] += rng.choice([13, 30, 50])
    elif shape == "peaks":
        logits += rng.choice([20, 60]) * (rng.randint(0, C, (N, T))[..., None] == np.arange(C))
    elif shape in ("-inf", "-1e9"):
        logits[rng.rand(N, T, C) < 0.05] = float(shape)
    elif shape == "constant":  # errors of rounding add up
        logits = np.broadcast_to(logits[:, :1], logits.shape)
    elif shape == "log p":
        with np.errstate(divide="ignore"):
            logits = logits - np.logaddexp.reduce(logits, axis=2, keepdims=True)
    labels = np.array([c for c in range(C) if c != blank])
    frames = rng.randint(0 if S == 0 else 1, T + 1, N)
    c = cases.case(
        shape,
        logits.swapaxes(0, 1) if rng.rand() < 0.3 else logits,
        rng.choice(labels, size=(N, S)),
        frames,
        [rng.randint(0, min(S, length) + 1) for length in frames],
        blank=int(blank),
        normalize=bool(rng.rand() < 0.8) and shape != "log p",
        infeasible=("inf", "zero")[rng.randint(2)],
    )
    c.options["time_major"] = c.logits.shape[:2] != (N, T) or T == N and c.logits is not logits
    dtype = ("float32", "float32", "bfloat16", "float16")[rng.randint(4)]
    return c, dtype, None if rng.rand() < 0.7 else rng.randn(N).astype("float32"), scale


def wanted(c, dtype, upstream, adds):
    """(loss, gradient) of the CPU's kernel on the same scores, in float64."""
    logits = np.ascontiguousarray(rounded(c.logits, dtype))
    loss, gradient = np.empty(len(c.targets)), np.empty_like(logits)
    upstream = None if upstream is None else upstream.astype("float64")
    host.compute(
        Batch(logits, *c[2:5]), Options(**c.options), loss, gradient, upstream=upstream, threads=1
    )
    if adds:
        add_probabilities(c, logits, upstream, gradient)
    return loss, gradient


def add_probabilities(c, logits, upstream, gradient):
    """exp(scores) * upstream in valid frames of sequences that have a gradient."""
    by_row = [a.swapaxes(0, 1) if c.options.get("time_major") else a for a in (gradient, logits)]
    for n in np.flatnonzero(by_row[0].any(axis=(1, 2))):
        frames = slice(0, c.input_lengths[n])
        by_row[0][n, frames] += np.exp(by_row[1][n, frames]) * (
            1 if upstream is None else upstream[n]
        )


def errors(c, dtype, upstream, got, want):
    """(loss, gradient) errors of each sequence, in units of the contract."""
    by_row = lambda array: array.swapaxes(0, 1) if c.options["time_major"] else array
    with np.errstate(invalid="ignore"):
        loss = np.where(got[0] == want[0], 0, abs(got[0] - want[0]))
        loss = loss / (2e-6 * np.maximum(1, np.minimum(abs(want[0]), 1e300)))
    unit = {"float32": 0, "bfloat16": 2.0**-8, "float16": 2.0**-11}[dtype]
    allowed = (1e-5 + unit * abs(want[1])) * (
        1 if upstream is None else by_row(np.maximum(1, abs(upstream))[:, None, None])
    )
    gradient = by_row(abs(got[1] - want[1]) / allowed)
    return loss, gradient.reshape(len(loss), -1).max(axis=1)


def main(batches=10000, seed=0):
    """Runs the batches and prints what was found."""
    rng = np.random.RandomState(seed)
    count, careful, worst, by_scale = 0, 0, np.zeros(2), {}
    with FakeCuda() as gpu:
        gpu.flags(1 << 20)
        for i in range(batches):
            c, dtype, upstream, scale = random_case(rng)
            adds = c.name == "log p" and i % 2 == 0
            got = gpu.compute(c, dtype, upstream=upstream, adds=adds)
            again = (gpu.flags(1 << 20) & 3) != 0
            found = np.array(errors(c, dtype, upstream, got, wanted(c, dtype, upstream, adds)))
            if not (found <= 1).all():
                raise SystemExit("batch %d, %s, %s: %r" % (i, c.name, dtype, found))
            count, careful = count + len(again), careful + again.sum()
            if dtype == "float32":
                worst = np.maximum(worst, found[:, ~again].max(axis=1, initial=0))
            share = by_scale.setdefault((c.name, scale), [0, 0])
            share[0], share[1] = share[0] + again.sum(), share[1] + len(again)
    print("%d sequences, %d by the careful path" % (count, careful))
    print(
        "fast path, float32: %.2g and %.2g of the error that loss and gradient may have"
        % tuple(worst)
    )
    for key in sorted(by_scale):
        print("%-12s scale %-5g careful %d of %d" % (key + tuple(by_scale[key])))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
