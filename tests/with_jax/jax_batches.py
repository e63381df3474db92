"""A batch for the tests of JAX, and what a jaxpr is made of."""

import jax
import numpy as np


def batch_of(N=3, T=7, C=4, S=3, seed=0):
    """Feasible rows, an empty target among them."""
    rng = np.random.RandomState(seed)
    targets = rng.randint(1, C, (N, S)).astype("int32")
    return (
        rng.randn(N, T, C) * 2,
        targets,
        np.maximum(T - np.arange(N), 6).astype("int32"),
        (S - np.arange(N) % (S + 1)).astype("int32"),
    )


def primitives(jaxpr):
    """The names of all primitives in a jaxpr, and in those inside it."""
    found = set()
    for equation in jaxpr.eqns:
        found.add(equation.primitive.name)
        for value in jax.tree.leaves(list(equation.params.values())):
            inner = getattr(value, "jaxpr", value)
            found |= primitives(inner) if hasattr(inner, "eqns") else set()
    return found
