"""The random generator MRG31k3p in numpy, bit-equal to Theano's MRG_RandomStreams.

L'Ecuyer and Touzin, "Fast combined multiple recursive generators with multipliers of the form
a = 2^q +- 2^r" (2000).

A stream's state is six 31-bit numbers: x1[n-1], x1[n-2], x1[n-3], x2[n-1], x2[n-2], x2[n-3], with
    x1[n] = (2^22 x1[n-2] + (2^7 + 1) x1[n-3]) mod M1
    x2[n] = (2^15 x2[n-1] + (2^15 + 1) x2[n-3]) mod M2
    sample = (x1[n] - x2[n]) mod M1 (M1 instead of 0), divided by 2^31
Streams start 2^72 samples apart, and one MRG_RandomStreams' successive draws 2^134.
"""

from typing import Any, Sequence, Tuple

import numpy as np

Matrix = Tuple[Tuple[int, ...], ...]

M1 = 2147483647  # 2^31 - 1
M2 = 2147462579  # 2^31 - 21069
STEP1 = ((0, 1 << 22, (1 << 7) + 1), (1, 0, 0), (0, 1, 0))
STEP2 = ((1 << 15, 0, (1 << 15) + 1), (1, 0, 0), (0, 1, 0))
NORM = {"float16": 3.0458e-05, "float32": 4.6566126e-10, "float64": 4.656612873077392578125e-10}


def _product(a: Matrix, b: Matrix, m: int) -> Matrix:
    return tuple(
        tuple(sum(a[i][k] * b[k][j] for k in range(3)) % m for j in range(3)) for i in range(3)
    )


def _jump(matrix: Matrix, m: int, log2: int) -> Matrix:
    """The matrix of 2^log2 steps."""
    for _ in range(log2):
        matrix = _product(matrix, matrix, m)
    return matrix


JUMPS = {log2: (_jump(STEP1, M1, log2), _jump(STEP2, M2, log2)) for log2 in (72, 134)}


def _advance(states: np.ndarray, matrices: Sequence[Matrix]) -> np.ndarray:
    """(n, 6) states, all moved on by a jump."""
    states = states.astype(np.uint64)
    halves = []
    for half, matrix, m in zip((states[:, :3], states[:, 3:]), matrices, (M1, M2)):
        jump = np.array(matrix, dtype=np.uint64)
        # Products are below 2^62: each is reduced before they are added.
        terms = (half[:, None, :] * jump[None]) % np.uint64(m)
        halves.append(terms.sum(axis=2, dtype=np.uint64) % np.uint64(m))
    return np.concatenate(halves, axis=1).astype(np.int32)


def next_generator(state: np.ndarray) -> np.ndarray:
    """(6,) state -> the state 2^134 samples later: where the next draw's streams start."""
    return _advance(np.asarray(state)[None], JUMPS[134])[0]


def stream_states(state: np.ndarray, count: int) -> np.ndarray:
    """(6,) state -> (count, 6): streams 2^72 samples apart, the first at `state`; by doubling."""
    states = np.asarray(state, dtype=np.int32)[None]
    jump: Sequence[Matrix] = JUMPS[72]
    while len(states) < count:
        states = np.concatenate([states, _advance(states, jump)])
        jump = tuple(_product(j, j, m) for j, m in zip(jump, (M1, M2)))
    return states[:count].copy()


def draw(states: np.ndarray, size: int, dtype: str) -> Tuple[np.ndarray, np.ndarray]:
    """(n, 6) states, a number of samples -> (size,) uniform samples in (0, 1], states afterwards.

    Sample i comes from stream i mod n.
    """
    streams = len(states)
    x: Sequence[np.ndarray] = list(np.ascontiguousarray(states.T).view(np.uint32))
    out = np.empty(size, dtype=dtype)
    norm = np.dtype(dtype).type(NORM[dtype])
    for start in range(0, size - streams + 1, streams):
        x = _step(*x)
        _write(out[start : start + streams], x, norm)
    rest = size % streams
    if rest:  # the last, shorter row moves only the streams it uses
        last = _step(*[part[:rest] for part in x])
        _write(out[size - rest :], last, norm)
        x = [np.concatenate([new, old[rest:]]) for new, old in zip(last, x)]
    return out, np.ascontiguousarray(np.array(x).view(np.int32).T)


def _reduce(y: np.ndarray, m: int) -> np.ndarray:
    """y mod m for y < 2 m, in uint32: if y < m the difference wraps around to a larger number."""
    return np.minimum(y, y - np.uint32(m))


def _step(
    x11: np.ndarray,
    x12: np.ndarray,
    x13: np.ndarray,
    x21: np.ndarray,
    x22: np.ndarray,
    x23: np.ndarray,
) -> Tuple[np.ndarray, ...]:
    u = np.uint32
    y = ((x12 & u(511)) << u(22)) + (x12 >> u(9)) + ((x13 & u(16777215)) << u(7)) + (x13 >> u(24))
    first = _reduce(_reduce(y, M1) + x13, M1)
    y1 = _reduce(((x21 & u(65535)) << u(15)) + u(21069) * (x21 >> u(16)), M2)
    y2 = _reduce(((x23 & u(65535)) << u(15)) + u(21069) * (x23 >> u(16)), M2)
    second = _reduce(_reduce(y2 + x23, M2) + y1, M2)
    return first, x11, x12, second, x21, x22


def _write(out: np.ndarray, x: Any, norm: Any) -> None:
    difference = x[0] - x[3]
    difference += (x[0] <= x[3]) * np.uint32(M1)
    if out.dtype == np.float16:  # 15 bits, for which float16 is too short: rounded once, as Theano
        out[...] = ((difference & np.uint32(0x7FFF)) + 1.0) * float(norm)
    else:
        np.multiply(difference.astype(out.dtype), norm, out=out)
