"""How much the loop costs over a hand-written PyTorch loop that does the same work.

    python benchmarks/loop_overhead.py        # a few minutes; resumable; writes benchmarks/results/loop_overhead.json

For each of a small MLP, a ResNet-18 on 32 x 32 images and a graph network, both loops take the same steps on the same
batches with the same optimiser, clip and schedule, in turns, one thread, CPU time. The bar:
the median of the paired ratios at most 1.10, and at most 1 s from calling `descend` to its first step.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from torch import nn

from gnomon.methods import _kit as kit
from gnomon.methods._desk import Desk
from gnomon.methods._log import Log
from gnomon.methods._loop import descend
from gnomon.methods._players import Player

RESULT = Path(__file__).parent / "results" / "loop_overhead.json"
CASES = {"mlp": (1000, 15), "resnet18": (6, 7), "gin": (80, 11)}  # steps a round, rounds
CLIP = 1.0


class Fixed:
    """Batches made beforehand, in turn."""

    def __init__(self, made: list[Any]):
        self.made = made

    def draw(self, step: int) -> Any:
        return self.made[step % len(self.made)]

    def split(self, batch: Any, parts: int) -> list[tuple[float, Any]]:
        return [(1.0, batch)]

    def mask(self, batch: Any, healthy: Any) -> int:
        return 0

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Any) -> None:
        pass


class Gin(nn.Module):
    """Three sums over neighbours, each through two layers; the mean over a graph's nodes."""

    def __init__(self, width: int = 64):
        super().__init__()
        self.first = nn.Linear(16, width)
        two = lambda: nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))  # noqa: E731
        self.layers = nn.ModuleList(two() for _ in range(3))
        self.head = nn.Linear(width, 1)

    def forward(self, nodes: Any, edges: Any, owner: Any, count: int) -> Any:
        h = self.first(nodes)
        for layer in self.layers:
            h = layer(h + torch.zeros_like(h).index_add_(0, edges[1], h[edges[0]])).relu()
        return self.head(torch.zeros(count, h.shape[1]).index_add_(0, owner, h) / 20)


def case(name: str) -> tuple[nn.Module, list[Any], Callable[[nn.Module, Any], Any]]:
    """(module, batches, loss)."""
    torch.manual_seed(0)
    if name == "mlp":
        module: nn.Module = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
        batches: list[Any] = [(torch.randn(64, 16), torch.randn(64, 1)) for _ in range(8)]
        return module, batches, lambda m, b: ((m(b[0]) - b[1]) ** 2).mean()
    if name == "resnet18":
        from torchvision.models import resnet18

        module = resnet18(num_classes=10).to(memory_format=torch.channels_last)
        batches = [(torch.randn(32, 3, 32, 32).to(memory_format=torch.channels_last), torch.randint(0, 10, (32,)))
                   for _ in range(4)]
        return module, batches, lambda m, b: nn.functional.cross_entropy(m(b[0]), b[1])
    batches = []
    for _ in range(8):
        owner = torch.arange(32).repeat_interleave(20)
        edges = torch.randint(0, 20, (2, 32 * 44)) + 20 * torch.arange(32).repeat_interleave(44)
        batches.append((torch.randn(640, 16), edges, owner, torch.randn(32, 1)))
    return Gin(), batches, lambda m, b: ((m(b[0], b[1], b[2], 32) - b[3]) ** 2).mean()


def by_hand(name: str, steps: int) -> float:
    """CPU seconds a step of a plain loop."""
    module, batches, loss_of = case(name)
    optimiser = kit.adamw(1e-3, 0.01)(module.train())
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, kit.warm_cosine(steps))
    weights = list(module.parameters())
    losses = []
    started = time.process_time()
    for step in range(steps):
        loss = loss_of(module, batches[step % len(batches)])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(weights, CLIP)
        optimiser.step()
        schedule.step()
        losses.append(loss.detach())
        if step % 20 == 19:
            torch.stack(losses).tolist()
            losses.clear()
    return (time.process_time() - started) / steps


def by_loop(name: str, steps: int) -> tuple[float, float]:
    """(CPU seconds a step after the first, wall seconds from call to first step), logging and checkpoints on."""
    module, batches, loss_of = case(name)
    player = Player("fit", module.train(), lambda b: {"loss": loss_of(module, b)}, kit.adamw(1e-3, 0.01),
                    kit.warm_cosine(steps), clip=CLIP)
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(steps=steps + 1, folder=Path(folder), checkpoint_seconds=20.0, threads=1)
        log = Log(Path(folder))
        called, started, first = time.perf_counter(), 0.0, 0.0
        for step in descend([player], Fixed(batches), seed=0, desk=desk, log=log, read_every=20):
            if step.number == 1:
                started, first = time.process_time(), time.perf_counter() - called
            if step.number == steps + 1:
                taken = (time.process_time() - started) / steps
        log.close()
    return taken, first


def measure(name: str) -> dict[str, Any]:
    steps, rounds = CASES[name]
    by_hand(name, 3)
    by_loop(name, 3)
    pairs = []
    for k in range(rounds):
        if k % 2:
            loop, first = by_loop(name, steps)
            hand = by_hand(name, steps)
        else:
            hand = by_hand(name, steps)
            loop, first = by_loop(name, steps)
        pairs.append((hand, loop, first))
    ratios = [loop / hand for hand, loop, _ in pairs]
    low, high = statistics.quantiles(ratios, n=4)[::2]
    return {"steps": steps, "rounds": rounds, "hand_ms": 1e3 * statistics.median(h for h, _, _ in pairs),
            "loop_ms": 1e3 * statistics.median(p for _, p, _ in pairs), "ratio": statistics.median(ratios),
            "ratio_quartiles": [low, high], "first_step_s": statistics.median(f for _, _, f in pairs)}


def main() -> int:
    torch.set_num_threads(1)
    found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    about = {"torch": torch.__version__, "python": platform.python_version(), "machine": platform.processor() or
             platform.machine(), "threads": 1, "seed": 0, "bar": {"ratio": 1.10, "first_step_s": 1.0}}
    cases = found.get("cases", {}) if found.get("about") == about else {}
    for name in CASES:
        if name not in cases:
            cases[name] = measure(name)
            RESULT.parent.mkdir(parents=True, exist_ok=True)
            RESULT.write_text(json.dumps({"about": about, "cases": cases}, indent=1) + "\n")
        row = cases[name]
        sys.stdout.write(f"{name:10s} by hand {row['hand_ms']:.3f} ms, loop {row['loop_ms']:.3f} ms, ratio "
                         f"{row['ratio']:.3f} {row['ratio_quartiles']}, first step {row['first_step_s']:.3f} s\n")
    return 0 if all(r["ratio"] <= 1.10 and r["first_step_s"] <= 1.0 for r in cases.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
