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
