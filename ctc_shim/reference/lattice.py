"""The forward-backward recursion in numpy and float64, with the argument checks around it."""

from typing import Any, List, Optional, Tuple

import numpy as np

from ctc_shim.contract import (
    Batch,
    Options,
    as_kernel_array,
    check_batch,
    check_policy,
    resolve_blank,
)
from ctc_shim.reference import forward
from ctc_shim.reference.forward import NEG_INF
from ctc_shim.reference.validation import validate


class NumpyAlgebra(forward.Algebra):
    """Log numbers are plain arrays. `alpha` holds (b, l) after each frame of the last scan."""

    def __init__(self) -> None:
        super(NumpyAlgebra, self).__init__(np)
        self.alpha: List[Tuple[np.ndarray, np.ndarray]] = []

    def log_add(self, one: Any, other: Any) -> forward.LogNumber:
        return (np.logaddexp(one[0], other[0]),)

    def scan(self, step: Any, state: Any, frames: Any, may_skip: Any) -> forward.State:
        self.alpha = []

        def recorded(*arguments: Any) -> forward.State:
            after: forward.State = step(*arguments)
            self.alpha.append((after[1][0], after[2][0]))
            return after

        return super(NumpyAlgebra, self).scan(recorded, state, frames, may_skip)


class Lattice(object):
    """Checked arguments, the log probabilities, and the forward-backward recursion over them.

    Where several rules of the contract meet in one sequence, the first of these applies. Bad
    lengths and labels are errors. An infeasible target is decided from the lengths alone: its
    scores are not read. Then come NaN and +inf in the scores.

    Parameters
    ----------
    batch : Batch
        Arrays or lists.
    options : Options
    loss : bool
        Run the forward recursion, which gives `loss` (N,).

    Raises
    ------
    TypeError, ValueError
        Wrong number of axes or dtype, unknown policy.
    CTCInputError
        A length or a label out of range, or an infeasible target where the policy makes it an
        error.
    """

    def __init__(self, batch: Batch, options: Options, loss: bool = True) -> None:
        check_policy(options.infeasible)
        arrays = check_batch(as_kernel_array, batch, options.time_major)
        logits = arrays.logits.astype(np.float64)
        frames_first = logits if options.time_major else np.swapaxes(logits, 0, 1)
        self.T, self.N, self.C = frames_first.shape
        targets, input_lengths, target_lengths = arrays[1:]
        self.S = targets.shape[1]
        self.blank = resolve_blank(options.blank, self.C) if self.C else 0
        self.options = options
        arguments = targets, input_lengths, target_lengths, self.blank
        validate(self.T, self.C, *arguments, options.infeasible)
        self.input_lengths, self.target_lengths = input_lengths, target_lengths
        self._algebra = NumpyAlgebra()
        self.rows = forward.read_rows(self._algebra, frames_first.shape, *arguments)
        with np.errstate(invalid="ignore"):  # numpy 1.15 warns when it compares NaN
            read, self.poisoned = forward.read_scores(self._algebra, self.rows, frames_first)
        self.logits = np.swapaxes(read, 0, 1)  # (N, T, C), 0 where never read
        self.frame_is_valid = self.rows.frame_is_valid.T  # (N, T)
        self._log_p: Optional[np.ndarray] = None
        if loss:
            log_p = np.swapaxes(self.log_p, 0, 1)
            if not self.C:  # and no frames
                log_p = np.zeros((self.T, self.N, 1))
            log_likelihood = forward.log_likelihood(self._algebra, self.rows, (log_p,), self.blank)
            self.loss = self.finish(-log_likelihood[0])

    @property
    def log_p(self) -> np.ndarray:
        """(N, T, C) ln of the class probabilities, computed on first use."""
        log_p = self._log_p
        if log_p is None:
            log_p = log_softmax(self.logits) if self.options.normalize else self.logits
            self._log_p = log_p
        return log_p

    def finish(self, loss: np.ndarray) -> np.ndarray:
        """Raw losses (N,) with the contract's rules applied. Sets `settled`: no gradient."""
        policy = self.options.infeasible
        loss = forward.finish(self._algebra, self.rows, loss, self.options.normalize, policy)
        loss = np.where(self.poisoned, np.nan, loss + 0.0)  # + 0.0: no -0
        self.settled = self.rows.infeasible | np.isposinf(loss)
        return loss

    def posteriors(self) -> np.ndarray:
        """(N, T, C): beta of Graves 2006, equations (9) - (11), joined with alpha as in (14) and
        (15).

        beta leaves out the emission of its own frame, so that alpha + beta needs no division. On
        reversed lanes it moves as alpha does.
        """
        posterior = np.zeros((self.N, self.T, self.C))
        if not self.C:
            return posterior
        rows = self.rows
        b = np.where(np.arange(self.S + 1) == rows.target_lengths[:, None], 0.0, NEG_INF)
        l = b[:, 1:]
        label_p = np.where(
            rows.label_is_valid[None],
            self._algebra.gather(np.swapaxes(self.log_p, 0, 1), rows.labels),
            NEG_INF,
        )
        may_skip = np.zeros_like(rows.may_skip)
        may_skip[:, 1:] = rows.may_skip[:, :0:-1]
        live = self.frame_is_valid & ~(self.settled | self.poisoned)[:, None]
        for t in range(self.T - 1, -1, -1):
            alpha_b, alpha_l = self._algebra.alpha[t]
            self._add_posterior(posterior[:, t], alpha_b + b, alpha_l + l, live[:, t])
            emitted_b, emitted_l = b + self.log_p[:, t, self.blank, None], l + label_p[t]
            moved = forward.move(
                self._algebra, (emitted_b[:, ::-1],), (emitted_l[:, ::-1],), may_skip
            )
            _, (new_b,), (new_l,) = forward.rescale(self._algebra, *moved)
            going = self.frame_is_valid[:, t, None]
            b, l = np.where(going, new_b[:, ::-1], b), np.where(going, new_l[:, ::-1], l)
        return posterior

    def _add_posterior(
        self, frame: np.ndarray, log_b: np.ndarray, log_l: np.ndarray, live: np.ndarray
    ) -> None:
        """Sum the states of a frame by class into `frame` (N, C), normalised to 1, where `live`."""
        _, (log_b,), (log_l,) = forward.rescale(self._algebra, (log_b,), (log_l,))
        p_b, p_l = np.exp(log_b), np.exp(log_l)
        mass = p_b.sum(axis=1) + p_l.sum(axis=1)
        scale = np.where(live, 1.0 / np.where(mass > 0, mass, 1.0), 0.0)
        frame[:, self.blank] += p_b.sum(axis=1) * scale
        np.add.at(frame, (np.arange(self.N)[:, None], self.rows.labels), p_l * scale[:, None])


def log_softmax(scores: Any) -> np.ndarray:
    """ln softmax over the last axis, exact for confident frames; a frame of -inf stays as it is."""
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape[-1] == 0:
        return scores
    top, rest = log_sum(scores)
    with np.errstate(invalid="ignore"):
        return scores - top - rest


def log_sum(scores: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """ln sum exp over the last axis as two addends (..., 1), both 0 for a frame of -inf."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        top = scores.max(axis=-1, keepdims=True)
        shift = np.where(np.isinf(top), 0.0, top)
        # log1p of all terms but the largest: a frame with a rest of 1e-20 keeps these 1e-20.
        rest = np.exp(scores - shift)
        np.put_along_axis(rest, scores.argmax(axis=-1)[..., None], 0.0, axis=-1)
        return shift, np.where(np.isneginf(top), 0.0, np.log1p(rest.sum(axis=-1, keepdims=True)))
