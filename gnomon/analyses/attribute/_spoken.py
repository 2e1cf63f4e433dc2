"""What a view's features may be called: words of free text and categories that few rows or units hold stay unnamed (EVIDENCE
24), as they may be a person's."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.data.features._view import View, present
from gnomon.data.table import Data

FEWEST = 5  # rows, and units, that must hold what is named
READ = 2000  # rows it is looked for in, spread evenly
NAMING = {"words": "word", "tfidf": "word", "categories": "value"}  # features that repeat what stands in a cell


def spoken(view: View, data: Data, units: np.ndarray | None) -> tuple[str, ...]:
    """The names of the view's features, rare words and categories without themselves. units: of all rows of `data`."""
    rows = np.unique(np.linspace(0, len(data) - 1, READ).astype(int))
    codes = rows if units is None else np.unique(np.asarray(units)[rows], return_inverse=True)[1]
    out: list[str] = []
    for block in view.blocks:
        held = present(block, data, rows) if block.key in NAMING else None
        if held is None:
            out += block.names
            continue
        rare = ~widely_held(held, codes)
        out += [f"rare {NAMING[block.key]}s of '{block.columns[0]}'" if few else name
                for few, name in zip(rare, block.names, strict=True)]
    return tuple(out)


def widely_held(held: Any, units: np.ndarray) -> np.ndarray:
    """(d,) whether at least FEWEST rows and units hold each. held: (n, d) csr, not zero where a row holds it; units: (n,)."""
    where = held.tocoo()
    pairs = np.unique(np.stack([units[where.row], where.col]), axis=1)[1]
    width = held.shape[1]
    return np.minimum(np.bincount(where.col, minlength=width), np.bincount(pairs, minlength=width)) >= FEWEST
