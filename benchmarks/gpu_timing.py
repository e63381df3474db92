"""How gpu.py times: medians by CUDA events, graphs, kernels by torch's profiler. Needs torch."""

import itertools
import statistics
import time
from typing import Any, Callable, Dict, Optional, Sequence

import torch

Function = Callable[[], Any]
PARTS = ("prepare", "rows", "chain", "posterior", "careful")  # ctc_shim_<part>...


def milliseconds(
    functions: Sequence[Function], device: str, rounds: int, in_jax: bool = False
) -> float:
    """Median over rounds that call the functions in turn, by CUDA events, or the clock for JAX."""
    found, turns = [], itertools.cycle(functions)
    for _ in range(rounds + 3 * len(functions)):
        function = next(turns)
        if device == "cuda" and not in_jax:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            function()
            end.record()
            end.synchronize()
            found.append(begin.elapsed_time(end))
        else:
            begin = time.perf_counter()
            function()
            found.append((time.perf_counter() - begin) * 1e3)
    return float(statistics.median(found[3 * len(functions) :]))


def replayed(function: Function) -> Function:
    """A CUDA graph of a function's launches, to time them without Python."""
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        function()
    side.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    replay: Function = graph.replay
    return replay


def bandwidth(device: str, count: int) -> float:
    """GB/s read and written by a copy."""
    source, target = torch.zeros(count, device=device), torch.zeros(count, device=device)
    return 8 * count / milliseconds([lambda: target.copy_(source)], device, 20) / 1e6


def kernel_times(functions: Sequence[Function], calls: int = 5) -> Dict[str, float]:
    """Microseconds in a call of each of PARTS, and of "other" kernels; "total" of all."""
    from torch.profiler import ProfilerActivity, profile

    for function in functions:
        function()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        for function in itertools.islice(itertools.cycle(functions), calls):
            function()
        torch.cuda.synchronize()
    return parts_of([(event.key, _spent(event)) for event in profiled.key_averages()], calls)


def parts_of(events: Sequence[Any], calls: int) -> Dict[str, float]:
    """The (name, microseconds) of all kernels, by part."""
    found: Dict[str, float] = {}
    for name, spent in events:
        where = name.find("ctc_shim_")
        first = name[where + len("ctc_shim_") :] if where >= 0 else ""
        part = next((part for part in PARTS if first.startswith(part)), "other")
        found[part] = found.get(part, 0.0) + spent / calls
    found["total"] = sum(found.values())
    return found


def _spent(event: Any) -> float:
    """Microseconds on the device; the name of it changed in torch 2.4."""
    spent: Optional[float] = getattr(event, "self_device_time_total", None)
    return float(event.self_cuda_time_total if spent is None else spent)
