"""Molecules by their ring system: the chemist's families."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import Grouping, Looked, found, not_run, ran, relabel
from gnomon.analyses.explore._molecules import chemistry
from gnomon.analyses.explore.duplicates import specimen
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Murcko scaffolds",
    gist="Ties molecules that share rings and linkers, so that a test can ask about new chemical series.",
    use_when="The molecule is the specimen and predictions are wanted for new series.",
    avoid_when="New molecules will be close relatives of known ones: then a random split asks the right question.",
    paper="Bemis & Murcko 1996, J. Med. Chem. 39(15):2887-2893",
    survey=("P1", "W7"),
    reads=("molecule",),
    cost="seconds",
)


def scaffolds(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """A grouping of kind "scaffold" of the specimen molecules; molecules without a ring form one family."""
    if not data.of_kind("molecule"):
        return Looked()
    rows = np.arange(len(data))
    name = specimen(data, rows)
    if not name or data.kind(name) != "molecule":
        return Looked(checks=(not_run("LOOK-GROUP", "no one molecule column is the specimen: no scaffolds"),))
    if len(data) > 2500 * seconds:
        why = f"scaffolds of more than {int(2500 * seconds):,} molecules need more time"
        return Looked(checks=(not_run("LOOK-GROUP", why),))
    chem = chemistry(data, name, rows)
    if chem is None:
        return Looked(checks=(not_run("LOOK-GROUP", "RDKit is not installed (extra chem): no scaffolds"),))
    readable = np.array([s is not None for s in chem.scaffold])
    _, codes = np.unique(np.array([s or "" for s in chem.scaffold]), return_inverse=True)
    grouping = Grouping(relabel(np.where(readable, codes, -1)), f"equal Murcko scaffolds of '{name}'", "scaffold")
    claim = f"{len(data):,} molecules fall into {grouping.count:,} scaffolds; relatives share much of their chemistry"
    largest = float(np.bincount(grouping.codes).max() / len(data))
    finding = found(data, "LOOK-GROUP", "note", claim, columns=(name,),
                    values={"scaffolds": grouping.count, "largest_share": largest}, source="Murcko scaffolds")
    return Looked((finding,), (ran("LOOK-GROUP", "two molecules with equal rings and linkers"),),
                  {"scaffold": grouping}, facts={"scaffolds": grouping.count})
