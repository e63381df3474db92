"""A PyTorch network reads lines of digits: trained with PyTorch's CTC loss and with ours.

    python examples/digits_torch.py [--steps 320] [--lines 2048]

Both trainings start from the same weights and see the same batches, in turn. Printed are both
curves, their largest difference and the time of a step on one thread.
"""

import argparse
import statistics
import time
from typing import Any, Callable, List, Tuple

import digit_data
import numpy as np
import torch

import ctc_shim.torch

LOSSES = {"PyTorch": torch.nn.CTCLoss, "ctc_shim": ctc_shim.torch.CTCLoss}
BATCH = 32


class Reader(torch.nn.Module):
    """frames (N, T, FEATURES) -> log probabilities (T, N, CLASSES)"""

    def __init__(self) -> None:
        super().__init__()
        self.dense = torch.nn.Linear(digit_data.FEATURES, 32)
        self.recurrent = torch.nn.GRU(32, 48, bidirectional=True, batch_first=True)
        self.classes = torch.nn.Linear(96, digit_data.CLASSES)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        hidden = self.recurrent(torch.tanh(self.dense(frames)))[0]
        return self.classes(hidden).log_softmax(2).transpose(0, 1)


class Training:
    """A network with its loss and optimizer; `losses` in nats for each digit, `times` in ms."""

    def __init__(self, loss: Callable[..., Any]) -> None:
        torch.manual_seed(0)
        self.reader, self.loss = Reader(), loss
        self.optimizer = torch.optim.Adam(self.reader.parameters(), 5e-3)
        self.losses: List[float] = []
        self.times: List[float] = []

    def step(self, lines: Any) -> None:
        begin = time.process_time()
        frames, labels = torch.from_numpy(lines.frames), torch.from_numpy(lines.labels).long()
        lengths = [
            torch.from_numpy(part[:, 0]) for part in (lines.input_length, lines.label_length)
        ]
        self.optimizer.zero_grad()
        loss = self.loss(self.reader(frames), labels, *lengths)
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())
        self.times.append(1e3 * (time.process_time() - begin))


def batches(lines: Any, steps: int) -> Any:
    """Noisy batches, epoch after epoch."""
    random = np.random.RandomState(0)
    rows: Any = []
    for step in range(steps):
        if len(rows) < BATCH:
            rows = digit_data.order(lines, 0, random)
        chosen, rows = rows[:BATCH], rows[BATCH:]
        yield digit_data.with_noise(digit_data.take(lines, chosen), seed=step)


def compare(steps: int, count: int) -> Tuple[Training, Training]:
    lines = digit_data.make_lines(count, 6, 10, seed=1)
    both = [Training(make(blank=digit_data.BLANK)) for make in LOSSES.values()]
    for batch in batches(lines, steps):
        for training in both:
            training.step(batch)
    return both[0], both[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=320)
    parser.add_argument("--lines", type=int, default=2048)
    options = parser.parse_args()
    torch.set_num_threads(1)
    both = compare(options.steps, options.lines)
    print("step  " + "  ".join("%8s" % name for name in LOSSES))
    for step in sorted(set(np.linspace(0, options.steps - 1, 9).astype(int))):
        print("%4d  " % (step + 1) + "  ".join("%8.4f" % t.losses[step] for t in both))
    apart = np.abs(np.subtract(both[0].losses, both[1].losses)).max()
    print("largest difference: %.1e" % apart)
    print("ms a step: " + ", ".join("%.2f" % statistics.median(t.times) for t in both))


if __name__ == "__main__":
    main()
