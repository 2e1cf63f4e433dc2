"""Arithmetic, dice and memory of the device a method runs on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from gnomon.methods._desk import Desk


def autocast(desk: Desk) -> Any:
    """bfloat16 arithmetic where the desk asks for it; costs nothing otherwise."""
    if desk.precision != "bfloat16":
        return nullcontext()
    import torch

    return torch.autocast(torch.device(desk.device).type, dtype=torch.bfloat16)


def seed_dice(device: str, seed: int) -> None:
    """Seed the generators a step may use: a hundred times cheaper than torch.manual_seed, which asks every backend."""
    import torch

    torch.default_generator.manual_seed(seed % 2**63)
    if str(device).startswith("cuda"):
        torch.cuda.default_generators[torch.device(device).index or 0].manual_seed(seed % 2**63)


@contextmanager
def own_dice(device: str) -> Iterator[None]:
    """Put the process's random state back as it was."""
    import torch

    on_gpu = str(device).startswith("cuda")
    before = torch.get_rng_state(), torch.cuda.get_rng_state(device) if on_gpu else None
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        if before[1] is not None:
            torch.cuda.set_rng_state(before[1], device)


def out_of_memory(error: BaseException) -> bool:
    """Whether this error says that memory ran out, on a GPU or a CPU."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def threads_that_pay(most: int) -> int:
    """`most` CPU threads where they are at least a fifth faster than one at a small network's steps; else 1.

    On cores that others use too, threads wait for each other at every layer and can be ten times slower than one alone
    (measured: 10 ms a step with one, 80 to 600 ms with two on a busy pair of cores). Takes less than a second.
    """
    import torch

    if most <= 1:
        return 1
    before = torch.get_num_threads()
    try:
        alone, together = (_step_seconds(count) for count in (1, most))
    finally:
        torch.set_num_threads(before)
    return most if together * 1.2 < alone else 1


def _step_seconds(threads: int) -> float:
    """Mean seconds of a step of a small convolutional network; the mean, because what hurts are the long waits."""
    import time

    import torch
    from torch import nn

    torch.set_num_threads(threads)
    layers = [nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Flatten(),
              nn.Linear(32 * 14 * 14, 64)]
    network = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    x = torch.ones(64, 16, 14, 14).to(memory_format=torch.channels_last)
    network(x).sum().backward()
    started, steps = time.perf_counter(), 0
    while steps < 20 and time.perf_counter() - started < 0.4:
        network(x).sum().backward()
        steps += 1
    return (time.perf_counter() - started) / steps
