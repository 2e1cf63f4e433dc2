"""Which attribution to trust on which kind: the benchmark's ranking, kept in the package, from which a study chooses.

`_trusted.csv` beside this file is written by `python benchmarks/attribution_truth.py --table`; a test holds it to the
results. It ranks techniques by how well they find planted cues: AUROC over a row's pieces, mean over a kind's plantings.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

from gnomon.data.table import Data

TABLE = Path(__file__).with_name("_trusted.csv")
COLUMNS = ("kind", "place", "technique", "auroc", "low", "high", "auprc", "plantings", "seconds_a_row")
COMMAND = "python benchmarks/attribution_truth.py"
ORDER = ("image", "sequence", "text", "molecule")  # of several kinds of inputs the first of these decides


@dataclass(frozen=True)
class Trusted:
    """A technique and what it reached on planted cues of a kind. place: in the ranking, from 1."""

    kind: str
    place: int
    technique: str
    auroc: float
    low: float
    high: float
    plantings: int

    @property
    def says(self) -> str:
        """Why this one, in a sentence."""
        place = {1: "finds", 2: "is second best at finding", 3: "is third best at finding"}.get(
            self.place, f"is number {self.place} at finding")
        best = " best" if self.place == 1 else ""
        on = self.kind.replace("number", "table").replace(" forest", " (trees)")
        return (f"chosen because it {place} planted {on} cues{best}: AUROC {self.auroc:.2f} "
                f"[{self.low:.2f}, {min(self.high, 1.0):.2f}] over {self.plantings} plantings ({COMMAND})")


@functools.cache
def _table() -> tuple[Trusted, ...]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(Trusted(r["kind"], int(r["place"]), r["technique"], float(r["auroc"]), float(r["low"]), float(r["high"]),
                             int(r["plantings"])) for r in csv.DictReader(file))


def trusted(kind: str) -> tuple[Trusted, ...]:
    """Techniques for a kind ("image", "molecule forest" ...), the best first; () for a kind that was not measured."""
    return tuple(t for t in _table() if t.kind == kind)


def why(technique: str, kind: str) -> str:
    """The sentence for one technique on a kind, or ""."""
    return next((t.says for t in trusted(kind) if t.technique == technique), "")


def kind_of(data: Data, *, network: bool) -> str:
    """The rows of the table that a model of these inputs falls under; for a kind that was measured on networks only, those."""
    kinds = {data.kind(c) for c in data.inputs}
    own = next((k for k in ORDER if k in kinds), "number")
    return f"{own} forest" if not network and trusted(f"{own} forest") else own
