"""The truth, in numpy and float64: every kernel and every symbolic graph is tested against this file.

Two independent ways to the same number, after Graves, Fernandez, Gomez and Schmidhuber, "Connectionist temporal
classification", ICML 2006 (below: Graves 2006):

* `ctc_loss_brute_force` walks over the paths themselves, equations (2) and (3). Exponential in T.
* `ctc_loss` and its relatives run the forward-backward recursion, equations (5) - (16), in log space.

Shapes: N sequences, T frames, C classes with the blank, S labels of the longest target. Losses are in nats.

Where several rules of the contract meet in one sequence, this order decides: bad lengths and labels are errors; then an
infeasible target is decided from the lengths alone (its scores are not read); then NaN and +inf in the scores.
"""

import numpy as np

from ctc_shim.contract import adjacent_repeats, check_policy, resolve_blank, validate

NEG_INF = -np.inf


def ctc_loss(
    logits,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    normalize=True,
    infeasible="inf",
    time_major=False,
):
    """Negative log likelihood of each target, by the forward recursion in log space, in float64.

    Parameters
    ----------
    logits : (N, T, C) float array
        Scores; (T, N, C) when `time_major`.
    targets : (N, S) int array
        Labels; entries from `target_lengths[n]` on are never read.
    input_lengths, target_lengths : (N,) int arrays
        T_n frames and S_n labels of each sequence.
    blank : int
        Class of the blank; negative counts from the end.
    normalize : bool
        True: p = softmax(logits) over the classes. False: p = exp(logits), as given.
    infeasible : {"inf", "zero", "raise", "tensorflow"}
        What a target that needs more frames than there are gives.
    time_major : bool
        Axes of `logits`.

    Returns
    -------
    (N,) float64 array, nats

    Raises
    ------
    CTCInputError
        A length or label out of range, or, where the policy says so, an infeasible target.

    References
    ----------
    Graves 2006, equations (6) - (8).
    """
    return ctc_loss_and_gradient(
        logits, targets, input_lengths, target_lengths, blank, normalize, infeasible, time_major
    )[0]


def ctc_loss_and_gradient(
    logits,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    normalize=True,
    infeasible="inf",
    time_major=False,
):
    """Loss (N,) and its gradient to `logits` (shape of `logits`), float64; arguments as in `ctc_loss`.

    Graves 2006, equation (16): softmax - posterior with `normalize`; without, -posterior (from equation (14)).
    """
    batch = Batch(
        logits, targets, input_lengths, target_lengths, blank, normalize, infeasible, time_major
    )
    posterior = batch.posteriors()
    gradient = (batch.probabilities() if normalize else 0) - posterior
    gradient = np.where(
        batch.settled[:, None, None], 0.0, gradient
    )  # +inf loss and policy "zero": no direction
    gradient[batch.poisoned] = np.nan
    gradient[~batch.frame_is_valid] = 0.0
    return batch.loss, np.swapaxes(gradient, 0, 1) if time_major else gradient


def ctc_posteriors(
    logits,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    normalize=True,
    infeasible="inf",
    time_major=False,
):
    """Probability of each class in each frame given the target; arguments as in `ctc_loss`.

    Shape of `logits`; a valid frame sums to one, a padded frame and an impossible target are all zero, and the valid frames
    of a sequence that holds NaN or +inf are NaN.
    Graves 2006: the sum over lab(z, k) in equation (15), divided by p(z | x).
    """
    batch = Batch(
        logits, targets, input_lengths, target_lengths, blank, normalize, infeasible, time_major
    )
    posterior = batch.posteriors()
    posterior[batch.frame_is_valid & batch.poisoned[:, None]] = np.nan
    return np.swapaxes(posterior, 0, 1) if time_major else posterior


def ctc_loss_brute_force(
    logits,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    normalize=True,
    infeasible="inf",
    time_major=False,
):
    """The loss from its definition: the sum over every path that collapses to the target; arguments as in `ctc_loss`.

    Walks the C**T strings of classes frame by frame (Graves 2006, equations (2) and (3)), one entry a string and no
    merging of equal states, and leaves a string as soon as it can no longer collapse to the target. Time and memory are
    those of the number of matching paths: keep T small.
    """
    batch = Batch(
        logits,
        targets,
        input_lengths,
        target_lengths,
        blank,
        normalize,
        infeasible,
        time_major,
        loss=False,
    )
    loss = np.zeros(batch.N)
    for n in range(batch.N):
        scores = batch.log_p[n, : batch.input_lengths[n]]
        loss[n] = -_sum_over_paths(scores, batch.targets[n, : batch.target_lengths[n]], batch.blank)
    return batch.finish(loss)


def log_softmax(scores):
    """ln softmax over the last axis, exact for confident frames; a frame that is all -inf stays so."""
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape[-1] == 0:
        return scores
    top, rest = log_sum(scores)
    with np.errstate(invalid="ignore"):
        return scores - top - rest


def log_sum(scores):
    """ln sum exp over the last axis in two parts (..., 1) to be subtracted one after the other, both 0 for a frame of -inf."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        top = scores.max(axis=-1, keepdims=True)
        shift = np.where(np.isinf(top), 0.0, top)
        # log1p over all but the largest: a frame sure to 1e-20 keeps its 1e-20
        rest = np.exp(scores - shift)
        np.put_along_axis(rest, scores.argmax(axis=-1)[..., None], 0.0, axis=-1)
        return shift, np.where(np.isneginf(top), 0.0, np.log1p(rest.sum(axis=-1, keepdims=True)))


class Batch(object):
    """Checked arguments, the log probabilities, and the lattice of the forward-backward recursion (`loss`: run it forward).

    The lattice has two lanes instead of an interleaved target: `blanks` (N, S + 1) are the states between labels,
    `labels` (N, S) the labels themselves. In Graves' l' they stand at 2 s and 2 s + 1.
    """

    def __init__(
        self,
        logits,
        targets,
        input_lengths,
        target_lengths,
        blank,
        normalize,
        infeasible,
        time_major,
        loss=True,
    ):
        check_policy(infeasible)
        logits = np.asarray(logits, dtype=np.float64)
        if logits.ndim != 3:
            raise ValueError(
                "logits must have three axes, (N, T, C) or time-major (T, N, C), got shape %r"
                % (logits.shape,)
            )
        self.logits = np.swapaxes(logits, 0, 1) if time_major else logits  # (N, T, C)
        self.N, self.T, self.C = self.logits.shape
        self.targets = integers("targets", targets, (self.N, None))
        self.input_lengths = integers("input_lengths", input_lengths, (self.N,))
        self.target_lengths = integers("target_lengths", target_lengths, (self.N,))
        self.blank = resolve_blank(blank, self.C) if self.C else 0
        self.normalize = normalize
        self.policy = infeasible
        validate(
            self.T,
            self.C,
            self.targets,
            self.input_lengths,
            self.target_lengths,
            self.blank,
            infeasible,
        )
        self._mask_what_is_never_read()
        self._log_p = None
        if loss:
            self._forward()

    @property
    def log_p(self):
        """(N, T, C) ln of the class probabilities, made when first asked for."""
        if self._log_p is None:
            self._log_p = log_softmax(self.logits) if self.normalize else self.logits
        return self._log_p

    def _mask_what_is_never_read(self):
        self.S = self.targets.shape[1]
        self.frame_is_valid = np.arange(self.T)[None, :] < self.input_lengths[:, None]  # (N, T)
        self.label_is_valid = np.arange(self.S)[None, :] < self.target_lengths[:, None]  # (N, S)
        needed = self.target_lengths + adjacent_repeats(self.targets, self.target_lengths)
        self.infeasible = self.input_lengths < needed
        poison = (np.isnan(self.logits) | np.isposinf(self.logits)).any(
            axis=2
        ) & self.frame_is_valid
        self.poisoned = poison.any(axis=1) & ~self.infeasible  # (N,)
        usable = self.frame_is_valid & ~(self.poisoned | self.infeasible)[:, None]
        self.logits = np.where(usable[:, :, None], self.logits, 0.0)
        harmless = (self.blank + 1) % self.C if self.C else 0
        self.targets = np.where(self.label_is_valid, self.targets, harmless)

    def _emissions(self):
        """(N, T) of the blank and (N, T, S) of the labels, -inf for labels beyond the target."""
        if not self.C:
            return np.zeros((self.N, self.T)), np.zeros((self.N, self.T, self.S))
        labels = np.take_along_axis(
            self.log_p, np.broadcast_to(self.targets[:, None, :], (self.N, self.T, self.S)), axis=2
        )
        return self.log_p[:, :, self.blank], np.where(
            self.label_is_valid[:, None, :], labels, NEG_INF
        )

    def _forward(self):
        """alpha of Graves 2006, equations (5) - (8).

        Each row is shifted to a maximum of 0 and the shifts are summed apart: the differences between states, which
        make the posteriors, keep their digits however large the total is.
        """
        blank_p, label_p = self._emissions()
        skip = np.zeros((self.N, self.S), dtype=bool)  # may the blank before label s be left out?
        skip[:, 1:] = self.targets[:, 1:] != self.targets[:, :-1]
        b = np.full((self.N, self.S + 1), NEG_INF)
        b[:, 0] = 0.0  # before the first frame: at the start, with nothing emitted
        l = np.full((self.N, self.S), NEG_INF)
        total = np.zeros(self.N)
        self.alpha = []
        for t in range(self.T):
            previous_label = _shift_right(l)  # (N, S + 1): the label before each blank
            new_b = np.logaddexp(b, previous_label) + blank_p[:, t, None]
            new_l = (
                np.logaddexp(
                    np.logaddexp(l, b[:, :-1]), np.where(skip, previous_label[:, :-1], NEG_INF)
                )
                + label_p[:, t]
            )
            new_b, new_l, shift = _rescale(new_b, new_l)
            going = self.frame_is_valid[:, t, None]
            b, l = np.where(going, new_b, b), np.where(going, new_l, l)
            total = total + np.where(going[:, 0], shift, 0.0)
            self.alpha.append((b, l))
        self._skip, self._blank_p, self._label_p = skip, blank_p, label_p
        rows = np.arange(self.N)
        last_label = np.where(
            self.target_lengths > 0, _shift_right(l)[rows, self.target_lengths], NEG_INF
        )
        self.loss = self.finish(-(np.logaddexp(b[rows, self.target_lengths], last_label) + total))

    def finish(self, loss):
        """Apply the rules of the contract to raw losses (N,)."""
        if self.normalize:
            loss = np.maximum(loss, 0.0)  # a probability; rounding may leave -1e-16
        loss = loss + 0.0  # no -0
        loss = np.where(self.infeasible, 0.0 if self.policy == "zero" else np.inf, loss)
        loss = np.where(self.poisoned, np.nan, loss)
        self.settled = self.infeasible | np.isposinf(loss)
        return loss

    def probabilities(self):
        return np.exp(self.log_p)

    def posteriors(self):
        """(N, T, C): beta of Graves 2006, equations (9) - (11), joined with alpha as in (14) and (15)."""
        posterior = np.zeros((self.N, self.T, self.C))
        rows = np.arange(self.N)
        b = np.full(
            (self.N, self.S + 1), NEG_INF
        )  # beta without its own frame's emission, so alpha + beta needs no division
        l = np.full((self.N, self.S), NEG_INF)
        b[rows, self.target_lengths] = 0.0
        some = np.flatnonzero(self.target_lengths > 0)
        l[some, self.target_lengths[some] - 1] = 0.0
        skip_next = np.zeros_like(self._skip)
        skip_next[:, :-1] = self._skip[:, 1:]
        live = ~(self.settled | self.poisoned)
        for t in range(self.T - 1, -1, -1):
            alpha_b, alpha_l = self.alpha[t]
            here = self.frame_is_valid[:, t] & live
            self._add_posterior(posterior[:, t], alpha_b + b, alpha_l + l, here)
            emit_b, emit_l = b + self._blank_p[:, t, None], l + self._label_p[:, t]
            next_label = np.concatenate(
                [emit_l, np.full((self.N, 1), NEG_INF)], axis=1
            )  # (N, S + 1): label after a blank
            new_b = np.logaddexp(emit_b, next_label)
            new_l = np.logaddexp(
                np.logaddexp(emit_l, emit_b[:, 1:]), np.where(skip_next, next_label[:, 1:], NEG_INF)
            )
            new_b, new_l, _ = _rescale(new_b, new_l)
            going = self.frame_is_valid[:, t, None]
            b, l = np.where(going, new_b, b), np.where(going, new_l, l)
        return posterior

    def _add_posterior(self, frame, log_b, log_l, here):
        """Sum the states of one frame by class into `frame` (N, C), normalised to one, in the rows `here`."""
        log_b, log_l, _ = _rescale(log_b, log_l)
        p_b, p_l = np.exp(log_b), np.exp(log_l)
        mass = p_b.sum(axis=1) + p_l.sum(axis=1)
        scale = np.where(here, 1.0 / np.where(mass > 0, mass, 1.0), 0.0)
        if self.C:
            frame[:, self.blank] += p_b.sum(axis=1) * scale
            np.add.at(frame, (np.arange(self.N)[:, None], self.targets), p_l * scale[:, None])


def _shift_right(labels):
    """(N, S) -> (N, S + 1) with -inf in front."""
    return np.concatenate([np.full((labels.shape[0], 1), NEG_INF), labels], axis=1)


def _rescale(b, l):
    """Both lanes less their common maximum, and that maximum (-inf rows are left as they are, with shift 0)."""
    top = np.maximum(b.max(axis=1), l.max(axis=1)) if l.shape[1] else b.max(axis=1)
    shift = np.where(np.isneginf(top), 0.0, top)
    return b - shift[:, None], l - shift[:, None], shift


def integers(name, values, shape):
    """`values` as int64 of the wanted shape (None: any length); TypeError or ValueError naming the argument."""
    values = np.asarray(values)
    if values.dtype.kind not in "iu" and values.size:
        raise TypeError("%s must be integers, got dtype %s" % (name, values.dtype))
    if values.ndim != len(shape) or any(
        want not in (None, got) for want, got in zip(shape, values.shape)
    ):
        raise ValueError(
            "%s must have shape (%s), got %r"
            % (name, ", ".join("S" if want is None else str(want) for want in shape), values.shape)
        )
    return values.astype(np.int64)


def _sum_over_paths(log_p, target, blank):
    """ln of the summed probability of all strings of classes (T of them) that collapse to `target`."""
    frames, classes = log_p.shape
    done = np.zeros(1, dtype=np.int64)  # labels spelled so far, one entry a partial path
    last = np.full(1, -1, dtype=np.int64)  # its last class; -1 before the first frame
    score = np.zeros(1)
    for t in range(frames):
        done, last, score = (np.repeat(column, classes) for column in (done, last, score))
        c = np.tile(np.arange(classes), len(done) // classes if classes else 0)
        new = (c != blank) & (
            c != last
        )  # what the collapse B keeps: no repeats first, then no blanks
        wanted = np.append(target, -1)[np.minimum(done, len(target))]
        done = done + new
        keep = (~new | (c == wanted)) & (len(target) - done <= frames - 1 - t)
        done, last, score = done[keep], c[keep], score[keep] + log_p[t, c[keep]]
    score = score[done == len(target)]
    top = score.max() if score.size else NEG_INF
    return top if np.isneginf(top) else top + np.log(np.exp(score - top).sum())
