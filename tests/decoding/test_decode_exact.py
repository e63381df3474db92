"""The decoders against every label sequence, and every path, of a small batch."""

import itertools

import numpy as np
import pytest

import ctc_shim
from ctc_shim import reference


def _all_hypotheses(scores, blank):
    """[(ln p, labels)] of every label sequence, likeliest first, from the loss' reference."""
    frames, classes = scores.shape
    labels = [c for c in range(classes) if c != blank]
    found = [
        target
        for length in range(frames + 1)
        for target in itertools.product(labels, repeat=length)
    ]
    padded = np.array(
        [target + (labels[0],) * (frames - len(target)) for target in found], dtype=np.int64
    ).reshape(len(found), frames)
    loss = reference.ctc_loss(
        np.repeat(scores[None], len(found), axis=0),
        padded,
        np.full(len(found), frames),
        np.array([len(target) for target in found]),
        blank,
    )
    return sorted(
        ((-value, target) for value, target in zip(loss, found) if np.isfinite(value)), reverse=True
    )


def _brute_force_cases():
    rng = np.random.RandomState(0)
    for frames, classes, blank in itertools.product((0, 1, 2, 4), (2, 3, 4), (0, 1, -1)):
        scores = rng.randn(frames, classes) * 2
        yield "%d-%d-%d" % (frames, classes, blank), scores, blank
        if frames > 1:
            impossible = np.where(rng.rand(frames, classes) < 0.3, -np.inf, scores)
            impossible[:, 0][np.isneginf(impossible).all(axis=1)] = 0
            yield "%d-%d-%d-impossible" % (frames, classes, blank), impossible, blank


@pytest.mark.parametrize(
    "name, scores, blank",
    list(_brute_force_cases()),
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("exact", [False, True])
def test_a_wide_beam_is_exact(name, scores, blank, exact):
    want = _all_hypotheses(scores, blank % scores.shape[1])
    labels, log_probs = ctc_shim.ctc_beam_search_decode(
        scores[None], [len(scores)], blank, beam_width=400, top_paths=6, exact=exact
    )
    for k in range(6):
        path = tuple(label for label in labels[0, k] if label >= 0)
        if k >= len(want):
            assert log_probs[0, k] == -np.inf and path == ()
            continue
        np.testing.assert_allclose(log_probs[0, k], want[k][0], rtol=1e-10, atol=1e-12)
        assert path == want[k][1] or np.isclose(
            {t: p for p, t in want}[path], want[k][0], rtol=1e-12, atol=1e-12
        )  # a tie


@pytest.mark.parametrize("merge", [True, False])
def test_the_best_path_by_brute_force(merge):
    rng = np.random.RandomState(1)
    for _ in range(20):
        scores = rng.randn(5, 3)
        p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        best = max(
            itertools.product(range(3), repeat=5),
            key=lambda path: sum(p[t, c] for t, c in enumerate(path)),
        )
        kept = [c for c, _ in itertools.groupby(best)] if merge else best
        labels, log_probs = ctc_shim.ctc_greedy_decode(scores[None], [5], merge_repeated=merge)
        assert labels[0].tolist() == [c for c in kept if c != 0]
        np.testing.assert_allclose(
            log_probs[0], sum(p[t, c] for t, c in enumerate(best)), rtol=1e-12
        )


def _all_paths(p, blank):
    """[(probability, path, the labels it spells)], likeliest first."""
    paths = itertools.product(range(p.shape[1]), repeat=len(p))
    spelled = lambda path: [c for c, _ in itertools.groupby(path) if c != blank]
    weighed = [(np.exp(sum(p[t, c] for t, c in enumerate(x))), x, spelled(x)) for x in paths]
    return sorted(weighed, reverse=True)


@pytest.mark.parametrize("frames", [0, 1, 5])
@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("how", ["merged", "unmerged", "beam"])
def test_spans_by_brute_force(how, blank, frames):
    """Of all paths: the likeliest one (that spells the labels), and the posterior along it."""
    rng = np.random.RandomState(3)
    for _ in range(5):
        scores = rng.randn(frames, 3) * 1.5
        p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        paths = _all_paths(p, blank)
        options = dict(merge_repeated=False) if how == "unmerged" else {}
        decode = ctc_shim.ctc_beam_search_decode if how == "beam" else ctc_shim.ctc_greedy_decode
        labels, log_probs, found = decode(scores[None], [frames], blank, spans=True, **options)
        for part, same in zip(
            (labels, log_probs), decode(scores[None], [frames], blank, **options)
        ):
            np.testing.assert_allclose(part, same, rtol=1e-12)
        _, best, spelled = paths[0]
        if how == "beam":
            spelled = labels[0, 0].tolist()
            best = next(path for _, path, target in paths if target == spelled)
        spelling = [(weight, path) for weight, path, target in paths if target == spelled]
        total = sum(weight for weight, _ in spelling)
        posterior = [sum(w for w, x in spelling if x[t] == best[t]) / total for t in range(frames)]
        keys = range(frames) if how == "unmerged" else best
        runs = [list(run) for _, run in itertools.groupby(range(frames), keys.__getitem__)]
        runs = [run for run in runs if best[run[0]] != blank]
        spans = found.spans(0)
        assert found.path[0].tolist() == list(best)
        assert [(s.label, s.start, s.end) for s in spans] == [
            (best[run[0]], run[0], run[-1] + 1) for run in runs
        ]
        assert [s.label for s in spans] == np.ravel(labels).tolist()
        for span, run in zip(spans, runs):
            np.testing.assert_allclose(span.score, np.mean([p[t, best[t]] for t in run]))
            np.testing.assert_allclose(span.confidence, np.mean([posterior[t] for t in run]))
