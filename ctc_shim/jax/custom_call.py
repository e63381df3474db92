"""The compiled kernels in JAX programs: chosen by platform, batched, partitioned.

On a CPU and on an NVIDIA GPU the kernel is a custom call (ffi.py). On other platforms, or without a
C compiler, lax_scan.py computes. A batch that is sharded over devices stays where it is: each
device calls the kernel on its own rows. JAX is imported inside functions.
"""

import functools
from typing import Any, Callable, Dict, FrozenSet, List, Sequence, Tuple

from ctc_shim.compat import of_jax
from ctc_shim.contract import Batch, Options
from ctc_shim.jax import ffi, lax_scan


def compute(arrays: List[Any], options: Options, with_gradient: bool) -> List[Any]:
    """[loss (N,)], or [loss, gradient], as traced arrays; no derivatives are defined here.

    Parameters
    ----------
    arrays : list
        The arrays of a Batch, integers of int32 or int64, and, if wanted with the gradient,
        upstream (N,), which multiplies it. Loss and upstream are float64 for float64 logits, else
        float32. In place of the input lengths there may be (N, T) flags of the valid frames, which
        may have gaps; logits are (N, T, C) then.
    options : Options
        The blank in 0 .. C - 1, the policy "inf" or "zero".
    with_gradient : bool
    """
    import jax

    if arrays[2].ndim == 2:
        return _without_gaps(arrays, options, with_gradient)
    how = tuple(options) + (with_gradient,)
    in_scan = functools.partial(_in_scan, how)
    calls = kernels()
    if not calls:
        return in_scan(*arrays)
    branches = {platform: _kernel(how, len(arrays), call) for platform, call in calls.items()}
    found: List[Any] = jax.lax.platform_dependent(*arrays, default=in_scan, **branches)
    return found


def _without_gaps(arrays: List[Any], options: Options, with_gradient: bool) -> List[Any]:
    """`compute` with valid frames in front: moved there, if they are not there already."""
    import jax
    import jax.numpy as jnp

    logits, targets, is_valid, counts = arrays
    frames = is_valid.sum(axis=1)
    has_gaps = (is_valid[:, 1:] > is_valid[:, :-1]).any()  # a valid frame after a padded one

    def as_it_is(logits: Any) -> List[Any]:
        return compute([logits, targets, frames, counts], options, with_gradient)

    def moved(logits: Any) -> List[Any]:
        order = jnp.argsort(~is_valid, axis=1, stable=True)
        front = jnp.take_along_axis(logits, order[:, :, None], axis=1)
        loss, *gradients = as_it_is(front)
        back = jnp.argsort(order, axis=1)[:, :, None]
        return [loss] + [jnp.take_along_axis(value, back, axis=1) for value in gradients]

    found: List[Any] = jax.lax.cond(has_gaps, moved, as_it_is, logits)
    return found


def kernels() -> Dict[str, Callable[..., Any]]:
    """{platform: the call of our kernel there}."""
    found = {"cpu": ffi.call_on_cpu} if ffi.available() else {}
    return dict(found, cuda=ffi.call_on_cuda) if ffi.available_on_cuda() else found


def _in_scan(how: Tuple[Any, ...], logits: Any, *others: Any) -> List[Any]:
    """Loss, or loss and gradient, as the kernel gives them."""
    import jax
    import jax.numpy as jnp

    options, with_gradient = Options(*how[:4]), how[4]

    def summed(logits: Any) -> Any:
        loss = lax_scan.ctc_loss(Batch(logits, *others[:3]), options)
        loss = loss.astype(ffi.result_dtype(logits.dtype))
        return loss.sum(), loss

    if not with_gradient:
        return [summed(logits)[1]]
    (_, loss), gradient = jax.value_and_grad(summed, has_aux=True)(logits)
    if len(others) > 3:
        rows = others[3]
        upstream = rows[None, :, None] if options.time_major else rows[:, None, None]
        gradient = jnp.where(gradient == 0, 0, gradient * upstream).astype(logits.dtype)
    return [loss, gradient]


@functools.lru_cache(maxsize=None)
def _kernel(
    how: Tuple[Any, ...], arguments: int, call_of_platform: Callable[..., Any]
) -> Callable[..., Any]:
    """A function of so many traced arrays that calls a kernel; `how` as for `_in_scan`.

    It sees logits as (N, T, C) whatever their order in memory, so that one rule serves for batching
    and for partitioning.
    """
    import jax
    import jax.numpy as jnp

    time_major, with_gradient = how[3:]
    split = _partitioned(functools.partial(call_of_platform, how), arguments, with_gradient)

    @jax.custom_batching.custom_vmap
    def call(*arrays: Any) -> List[Any]:
        return list(split(*arrays))

    @call.def_vmap
    def call_on_more_axes(size: int, batched: Sequence[bool], *arrays: Any) -> Any:
        whole = [
            array if known else jnp.broadcast_to(array, (size,) + array.shape)
            for array, known in zip(arrays, batched)
        ]
        flat = call(*[array.reshape((-1,) + array.shape[2:]) for array in whole])
        return [array.reshape((size, -1) + array.shape[1:]) for array in flat], [True] * len(flat)

    def in_any_order(logits: Any, *others: Any) -> List[Any]:
        # Views are swapped, not memory: the call asks for the layout that is there.
        results = call(logits.swapaxes(0, 1) if time_major else logits, *others)
        if time_major:
            results[1:] = [gradient.swapaxes(0, 1) for gradient in results[1:]]
        return _varying_like(results, logits, *others)

    return in_any_order


def _varying_like(results: List[Any], *arrays: Any) -> List[Any]:
    """Within shard_map: results marked as varying along the axes where one of `arrays` varies."""
    import jax

    axes: FrozenSet[str] = frozenset().union(*map(of_jax.varying_axes, arrays))
    if not axes:
        return results
    missing = [tuple(axes - of_jax.varying_axes(result)) for result in results]
    return [jax.lax.pcast(result, m, to="varying") for result, m in zip(results, missing)]


def _partitioned(
    function: Callable[..., Any], arguments: int, with_gradient: bool
) -> Callable[..., Any]:
    """`function`, split along the batch where its arguments are sharded."""
    from jax.experimental.custom_partitioning import custom_partitioning
    from jax.sharding import NamedSharding, PartitionSpec

    def tupled(*arrays: Any) -> Tuple[Any, ...]:
        return tuple(function(*arrays))

    ranks_in, ranks_out = [3, 2, 1, 1, 1][:arguments], [1, 3] if with_gradient else [1]

    def along_the_batch(mesh: Any, argument_shapes: Any, ranks: List[int]) -> Tuple[Any, ...]:
        spec = argument_shapes[0].sharding.spec
        specs = [(list(spec[:1]) + [None] * rank)[:rank] for rank in ranks]
        return tuple(NamedSharding(mesh, PartitionSpec(*axes)) for axes in specs)

    def results_sharding(mesh: Any, argument_shapes: Any, result_shapes: Any) -> Tuple[Any, ...]:
        return along_the_batch(mesh, argument_shapes, ranks_out)

    def partition(mesh: Any, argument_shapes: Any, result_shapes: Any) -> Tuple[Any, ...]:
        shardings = [along_the_batch(mesh, argument_shapes, r) for r in (ranks_out, ranks_in)]
        return (mesh, tupled, shardings[0], shardings[1])

    letters = {3: "n t c", 2: "n s", 1: "n"}
    sides = [", ".join(letters[rank] for rank in ranks) for ranks in (ranks_in, ranks_out)]
    partitioned = custom_partitioning(tupled)
    partitioned.def_partition(
        partition=partition,
        infer_sharding_from_operands=results_sharding,
        sharding_rule=" -> ".join(sides),
        need_replication_factors=("t", "c", "s"),  # in the order of the rule
    )
    split: Callable[..., Any] = partitioned
    return split
