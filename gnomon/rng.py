"""One seed in, named counter-based streams out: `stream(seed, "split", 3)` never depends on what was drawn before.

Nothing has to be saved to resume: the same names give the same numbers. (Counter-based: Salmon et al. 2011, SC'11.)
"""

from __future__ import annotations

import hashlib

import numpy as np


def key(seed: int | str, *names: object) -> int:
    """A 64-bit key from a seed and any names; equal arguments give equal keys on every machine."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def stream(seed: int | str, *names: object) -> np.random.Generator:
    """A numpy generator of its own for this seed and these names (Philox, keyed)."""
    return np.random.Generator(np.random.Philox(key=key(seed, *names)))
