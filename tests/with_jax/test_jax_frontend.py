"""Alignment, posteriors and decoding of JAX arrays equal numpy's: eagerly, under jit and vmap."""

import jax
import jax.numpy as jnp
import numpy as np
import on_linkers
import pytest

import ctc_shim


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def batch(N=3, T=7, C=4, S=3):
    rng = np.random.RandomState(0)
    return (
        rng.randn(N, T, C) * 2,
        rng.randint(1, C, (N, S)),
        np.maximum(T - np.arange(N), 6),
        S - np.arange(N) % (S + 1),
    )


def same(got, want, frames):
    """Labels of a decoder are as wide as there are frames, filled with -1."""
    if want.dtype == np.int64 and want.shape != got.shape:
        want = np.pad(
            want,
            [(0, 0)] * (want.ndim - 1) + [(0, frames - want.shape[-1])],
            mode="constant",
            constant_values=-1,
        )
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", ["align", "posteriors", "greedy_decode", "beam_search_decode"])
@pytest.mark.parametrize("time_major", [False, True])
def test_as_on_arrays_in_jit_and_in_vmap(name, time_major):
    arrays = list(batch())
    arrays[0] = arrays[0].swapaxes(0, 1) if time_major else arrays[0]
    arrays = arrays[:1] + arrays[2:3] if name.endswith("decode") else arrays
    function = getattr(ctc_shim, "ctc_" + name)
    call = lambda *values: tuple(
        jnp.atleast_1d(r) for r in _several(function(*values, time_major=time_major))
    )
    want = _several(function(*arrays, time_major=time_major))
    doubled = _several(function(arrays[0] * 2, *arrays[1:], time_major=time_major))
    mapped = jax.jit(jax.vmap(call, in_axes=(0,) + (None,) * (len(arrays) - 1)))(
        jnp.stack([arrays[0], arrays[0] * 2]), *arrays[1:]
    )
    concrete = [jnp.asarray(array) for array in arrays]
    for got in (call(*concrete), jax.jit(call)(*concrete), [result[0] for result in mapped]):
        assert len(got) == len(want)
        for result, array in zip(got, want):
            same(result, array, 7)
    for result, array in zip(mapped, doubled):
        same(result[1], array, 7)


def _several(results):
    return results if isinstance(results, tuple) else (results,)


@pytest.mark.parametrize("name", ["ctc_greedy_decode", "ctc_beam_search_decode"])
def test_spans_in_jit(name):
    logits, _, frames, _ = map(jnp.asarray, batch())
    decode = lambda *given: getattr(ctc_shim, name)(*given, spans=True)
    want, found = decode(logits, frames), jax.jit(decode)(logits, frames)
    for one, two in zip(found[:2] + found[2], want[:2] + want[2]):
        np.testing.assert_array_equal(one, two)
    assert found[2].start.shape == found[0].shape[:1] + found[0].shape[-1:] == (3, 7)


def test_without_64_bits_and_narrow():
    with jax.enable_x64(False):
        logits, *others = batch()
        found = ctc_shim.ctc_align(
            jnp.asarray(logits, dtype="bfloat16"), *[value.astype("int32") for value in others]
        )
        assert found.path.dtype == "int32" and found.score.dtype == "float32"
        assert [span.label for span in found.spans(0)] == others[0][0].tolist()


def test_errors():
    logits, targets, frames, counts = batch()
    with pytest.raises(ValueError, match=r"logits must have 3 axes, got 2 \(shape \(7, 4\)\)"):
        ctc_shim.ctc_align(logits[0], targets, frames, counts)
    for top_paths, message in (
        (0, "from 1 on, got 0"),
        (1.5, "got 1.5"),
        (101, r"at most beam_width \(100\), got 101"),
    ):
        with pytest.raises(ValueError, match="top_paths must be .*" + message):
            ctc_shim.ctc_beam_search_decode(logits, frames, top_paths=top_paths)
    with pytest.raises(Exception, match="input_lengths"):
        jax.block_until_ready(ctc_shim.ctc_greedy_decode(logits, np.array([7, 99, 7])))


@pytest.mark.parametrize("name", ["align", "posteriors"])
def test_under_pytensors_linker(name):
    on_linkers.check(name, batch(), "JAX")


def test_keras_cost_under_pytensors_linker():
    on_linkers.check_keras_cost(batch(), "JAX")
