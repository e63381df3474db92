"""Ctrl-C and other signals during a long call of the kernel; the processors that it may use."""

import functools
import gc
import importlib
import os
import signal
import threading
import time

import numpy as np
import pytest
from implementations import LIBRARY, NAMES, mode

import ctc_shim
from ctc_shim import contract
from ctc_shim.native import call, load

WITHIN = 1.0  # seconds of processor time from the signal to the exception; a call takes more than 4


class _Alarm(Exception):
    pass


def _long_batch(N, seconds):
    """A batch that keeps a fast processor busy for so long; the scores are views of 8 numbers."""
    T, labels = int(200000 * seconds) // N, 900
    logits = np.lib.stride_tricks.as_strided(np.ones(8), (N, T, 8), (0, 0, 8))
    targets = np.tile(np.arange(labels) % 7 + 1, (N, 1))
    return logits, targets, np.full(N, T), np.full(N, labels)


def _interrupted(compute, number=signal.SIGINT, after=0.3):
    """Processor time from a signal to the end of a call, and what the call raised or returned."""
    sent = []

    def send():
        sent.append(time.process_time())
        os.kill(os.getpid(), number)

    timer = threading.Timer(after, send)
    timer.start()
    found = None
    try:
        found = compute()
        while True:  # the call was over first
            time.sleep(0.01)
    except (KeyboardInterrupt, _Alarm) as error:
        found = error if found is None else found
    stopped = time.process_time()
    return stopped - sent[0], found


@pytest.fixture
def handlers():
    """Ctrl-C as at a terminal, and an alarm of one's own; as before afterwards.

    Python 3.12 and later collect garbage before they run a handler, and lose what a handler raises
    in the callback of a weak reference, as any Python code does.
    """

    def alarm(number, frame):
        raise _Alarm()

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGUSR1: signal.signal(signal.SIGUSR1, alarm),
    }
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("N", [1, 3])
def test_a_loss_is_interrupted(handlers, monkeypatch, N, threads):
    monkeypatch.setenv("CTC_SHIM_THREADS", threads)
    batch = _long_batch(N, 4)
    seconds, found = _interrupted(lambda: ctc_shim.ctc_loss(*batch))
    assert isinstance(found, KeyboardInterrupt) and seconds < WITHIN


def test_a_gradient_is_interrupted_by_any_handler(handlers):
    batch = _long_batch(20, 4)
    compute = lambda: ctc_shim.ctc_loss_and_gradient(*batch)  # noqa: E731
    seconds, found = _interrupted(compute, signal.SIGUSR1)
    assert isinstance(found, _Alarm) and seconds < WITHIN


@pytest.mark.parametrize("how", [{}, {"beam_width": 200}], ids=["greedy", "beam"])
def test_decoding_is_interrupted(handlers, monkeypatch, how):
    """Memory for the labels is there before: to fill it takes numpy a second on a busy machine."""
    T = 400000 if how else 20000000
    logits = np.lib.stride_tricks.as_strided(np.arange(8.0), (1, T, 8), (0, 0, 8))
    frames, labels = np.full(1, T), np.full((1, 1, T), -1)
    monkeypatch.setattr(np, "full", lambda *arguments, **keywords: labels)
    width = how.get("beam_width", 0)
    seconds, found = _interrupted(
        lambda: call.decode(load.kernel(), logits, frames, 0, True, width, 1, True)
    )
    assert isinstance(found, KeyboardInterrupt) and seconds < WITHIN


def test_an_alignment_is_interrupted(handlers):
    batch = contract.Batch(*_long_batch(1, 16))
    seconds, found = _interrupted(lambda: call.align(load.kernel(), batch, 0))
    assert isinstance(found, KeyboardInterrupt) and seconds < WITHIN


def test_a_handler_that_does_not_raise_lets_the_call_go_on(handlers):
    batch, seen = _long_batch(1, 1), []
    want = ctc_shim.ctc_loss(*batch)
    signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    found = ctc_shim.ctc_loss(*batch)
    np.testing.assert_array_equal(found, want)
    for _ in range(500):  # where the call was over first
        time.sleep(0 if seen else 0.01)
    assert seen == [signal.SIGUSR1]


def test_other_threads_run_on_and_are_not_interrupted(handlers):
    """Signals are for the main thread: a call of another one ends by itself, and is right."""
    batch, found = _long_batch(1, 2), []
    want = ctc_shim.ctc_loss(*_long_batch(1, 2))
    thread = threading.Thread(target=lambda: found.append(ctc_shim.ctc_loss(*batch)))
    steps = 0
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        while thread.is_alive():
            steps += 1
            if steps == 20:
                os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.001)
    thread.join()
    np.testing.assert_array_equal(found[0], want)


def test_compiled_functions_are_interrupted(handlers):
    """Of the C linker, too. What the Numba linker compiles waits for the kernel."""
    for name in NAMES:
        if name in ("perform", "c"):
            library, batch = importlib.import_module(LIBRARY), _long_batch(1, 4)
            logits = library.tensor.dtensor3("logits")
            loss = ctc_shim.ctc_loss(logits, *batch[1:])
            function = library.function([logits], loss, mode=mode(library, name))
            seconds, found = _interrupted(functools.partial(function, batch[0]))
            assert isinstance(found, KeyboardInterrupt) and seconds < WITHIN


# ---- processors


LIMITED = hasattr(os, "sched_setaffinity")  # Linux


def _threads_of(compute):
    """How many threads a call runs on, as Linux counts them while it does."""
    most, done = [0], threading.Event()

    def watch():
        while not done.is_set():
            most[0] = max(most[0], len(os.listdir("/proc/self/task")))
            time.sleep(0.002)

    before = len(os.listdir("/proc/self/task"))
    watcher = threading.Thread(target=watch)
    watcher.start()
    compute()
    done.set()
    watcher.join()
    return most[0] - before


@pytest.fixture
def one_processor():
    """As after `taskset -c N`; all of them again afterwards."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.skipif(not LIMITED, reason="processes are bound to processors on Linux")
def test_a_bound_process_starts_no_threads(one_processor, monkeypatch):
    monkeypatch.delenv("CTC_SHIM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert call.thread_count() == 1
    batch = _long_batch(4, 1)
    assert _threads_of(lambda: ctc_shim.ctc_loss(*batch)) == 1
    monkeypatch.setenv("CTC_SHIM_THREADS", "3")  # what is asked for is done
    assert call.thread_count() == 3
    assert _threads_of(lambda: ctc_shim.ctc_loss(*batch)) == 3


def test_torch_says_how_many_threads():
    """Named as an implementation, torch must be here."""
    if "torch" not in NAMES:
        return
    import torch

    tensors = [torch.as_tensor(np.ascontiguousarray(array)) for array in _long_batch(4, 1)]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert _threads_of(lambda: ctc_shim.ctc_loss(*tensors)) == 1
    finally:
        torch.set_num_threads(before)
