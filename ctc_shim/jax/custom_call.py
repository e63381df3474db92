"""The compiled kernels within JAX programs (JAX inside functions): chosen by platform, batched and partitioned.

On a CPU and on an NVIDIA GPU it is a custom call (ffi.py); on every other platform, or where that cannot be, lax_scan.py
computes. A batch that is sharded over devices stays where it is: each device calls the kernel on its own rows.
"""

import functools
from typing import Any, List

from ctc_shim.contract import Options
from ctc_shim.jax import ffi, lax_scan


def compute(arrays: List[Any], options: Options, with_gradient: bool) -> List[Any]:
    """[loss (N,)], or [loss, gradient], as traced arrays; no derivatives are defined here.

    Parameters
    ----------
    arrays : list
        The arrays of a Batch, integers of int32 or int64, and, if wanted with the gradient,
        upstream (N,), which multiplies it. Loss and upstream are float64 for float64 logits, else
        float32.
    options : Options
        The blank in 0 .. C - 1, the policy "inf" or "zero".
    with_gradient : bool
    """
    import jax

    options = tuple(options) + (with_gradient,)
    in_scan = functools.partial(_in_scan, options)
    calls = kernels()
    if not calls:
        return in_scan(*arrays)
    branches = {platform: _kernel(options, len(arrays), call) for platform, call in calls.items()}
    return jax.lax.platform_dependent(*arrays, default=in_scan, **branches)


def kernels():
    """{platform: the call of our kernel there}."""
    found = {"cpu": ffi.call_on_cpu} if ffi.available() else {}
    return dict(found, cuda=ffi.call_on_cuda) if ffi.available_on_cuda() else found


def _in_scan(options, logits, *others):
    """As the kernel: loss, or loss and gradient."""
    import jax
    import jax.numpy as jnp

    blank, normalize, infeasible, time_major, with_gradient = options

    def summed(logits):
        by_row = logits.swapaxes(0, 1) if time_major else logits
        loss = lax_scan.ctc_loss(by_row, *others[:3], blank, normalize, infeasible).astype(
            ffi.result_dtype(logits.dtype)
        )
        return loss.sum(), loss

    if not with_gradient:
        return [summed(logits)[1]]
    (_, loss), gradient = jax.value_and_grad(summed, has_aux=True)(logits)
    if len(others) > 3:
        upstream = others[3][None, :, None] if time_major else others[3][:, None, None]
        gradient = jnp.where(gradient == 0, 0, gradient * upstream).astype(logits.dtype)
    return [loss, gradient]


@functools.lru_cache(maxsize=None)
def _kernel(options, arguments, call_of_platform):
    """A function of so many traced arrays that calls a kernel; `options` as for `_in_scan`.

    It keeps logits as (N, T, C) whatever their order in memory, so that one rule serves for batching and for partitioning.
    """
    import jax

    time_major, with_gradient = options[3:]
    split = _partitioned(functools.partial(call_of_platform, options), arguments, with_gradient)

    @jax.custom_batching.custom_vmap
    def call(*arrays):
        return list(split(*arrays))

    @call.def_vmap
    def call_on_more_axes(size, batched, *arrays):
        import jax.numpy as jnp

        whole = [
            array if known else jnp.broadcast_to(array, (size,) + array.shape)
            for array, known in zip(arrays, batched)
        ]
        flat = call(*[array.reshape((-1,) + array.shape[2:]) for array in whole])
        return [array.reshape((size, -1) + array.shape[1:]) for array in flat], [True] * len(flat)

    def in_any_order(logits, *others):
        by_row = (
            logits.swapaxes(0, 1) if time_major else logits
        )  # of the view only: the call asks for the layout that is there
        results = call(by_row, *others)
        if time_major:
            results[1:] = [gradient.swapaxes(0, 1) for gradient in results[1:]]
        return _varying_like(results, logits, *others)

    return in_any_order


def _varying_like(results, *arrays):
    """Within shard_map: `results` marked as different on each device along the axes where one of `arrays` is."""
    import jax

    axes = frozenset().union(*map(_varying_axes, arrays))
    return (
        [
            jax.lax.pcast(result, tuple(axes - _varying_axes(result)), to="varying")
            for result in results
        ]
        if axes
        else results
    )


def _varying_axes(array):
    import jax

    kind = getattr(jax.typeof(array), "manual_axis_type", jax.typeof(array))
    return frozenset(
        getattr(kind, "varying", None) or getattr(kind, "vma", None) or ()
    )  # two spellings of two years


def _partitioned(function, arguments, with_gradient):
    """`function`, split along the batch where its arguments are sharded: no device needs another's rows."""
    from jax.experimental.custom_partitioning import custom_partitioning
    from jax.sharding import NamedSharding, PartitionSpec

    def tupled(*arrays):
        return tuple(function(*arrays))

    ranks_in, ranks_out = [3, 2, 1, 1, 1][:arguments], [1, 3] if with_gradient else [1]

    def along_the_batch(mesh, argument_shapes, ranks):
        spec = argument_shapes[0].sharding.spec
        return tuple(
            NamedSharding(mesh, PartitionSpec(*(list(spec[:1]) + [None] * rank)[:rank]))
            for rank in ranks
        )

    def results_sharding(mesh, argument_shapes, result_shapes):
        return along_the_batch(mesh, argument_shapes, ranks_out)

    def partition(mesh, argument_shapes, result_shapes):
        return (
            mesh,
            tupled,
            along_the_batch(mesh, argument_shapes, ranks_out),
            along_the_batch(mesh, argument_shapes, ranks_in),
        )

    letters = {3: "n t c", 2: "n s", 1: "n"}
    rule = " -> ".join(
        ", ".join(letters[rank] for rank in ranks) for ranks in (ranks_in, ranks_out)
    )
    split = custom_partitioning(tupled)
    split.def_partition(
        partition=partition,
        infer_sharding_from_operands=results_sharding,
        sharding_rule=rule,
        need_replication_factors=("t", "c", "s"),
    )  # in the order of the rule
    return split
