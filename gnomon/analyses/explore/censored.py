"""Inputs cut off at a limit of measurement."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import Looked, blocks, ends, found, join, ran, sample, sampled_note
from gnomon.analyses.explore.missing_values import missing_code
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Values at a limit",
    gist="Finds continuous columns in which many values are exactly the smallest or the largest one.",
    use_when="Measured concentrations, doses and times: below or above the limit the instrument wrote the limit.",
    avoid_when="Zero means none at all (a component left out): the note then says what is known anyway.",
    paper="Helsel 2006, Fabricating data: how substituting values for nondetects can ruin results, Chemosphere 65:2434",
    survey=("P1",),
    reads=("number",),
    cost="seconds",
)
LEVELS, SHARE, FEWEST = 30, 0.03, 10  # a continuous column; the share and the number of rows at the limit
TIMES = 5  # how many times commoner the limit is than the other values


def censored(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """LOOK-CENSORED as a note for number inputs that pile up at an end, or were read from bounds such as `<0.1`."""
    rows = sample(np.arange(len(data)), int(20000 * seconds), seed, "censored")
    findings = []
    for name in data.of_kind("number"):
        column = data.columns[name]
        if column.spec.shape:
            continue
        if column.spec.detail == "censored":
            findings.append(found(data, "LOOK-CENSORED", "note", f"'{name}' holds bounds such as 'greater than', not "
                                  "values", columns=(name,), source="reading"))
        values = column.take(rows)
        code = missing_code(values)
        for word, at in piled(values if code is None else np.where(values == code, np.nan, values)):
            claim = f"{at.mean():.0%} of '{name}' lie exactly at the {word} value, as at a limit of measurement"
            findings.append(found(data, "LOOK-CENSORED", "note", claim + sampled_note(len(rows), len(data)),
                                  rows=rows[at], columns=(name,), values={"share": float(at.mean()), "end": word},
                                  source="censored"))
    for name, names, values in blocks(data, rows):
        findings += _of_block(data, name, names, values, sampled_note(len(rows), len(data)))
    smallest = f"{SHARE:.0%} of values, {FEWEST} at least, at the smallest or largest of {LEVELS} levels or more"
    return Looked(tuple(findings), (ran("LOOK-CENSORED", smallest + sampled_note(len(rows), len(data))),))


def _of_block(data: Data, name: str, names: tuple[str, ...], values: np.ndarray, note: str) -> list:
    """A finding for each end at which columns of a block pile up."""
    fewest = max(FEWEST, int(SHARE * len(values)))
    able = np.flatnonzero(np.logical_or(*((values == end).sum(axis=0) >= fewest for end in ends(values))))
    shares: dict[str, dict[str, float]] = {"smallest": {}, "largest": {}}
    for j in able:
        column = values[:, j].astype(np.float64)
        code = missing_code(column, len(names))
        for word, at in piled(column if code is None else np.where(column == code, np.nan, column)):
            shares[word][names[j]] = float(at.mean())
    out = []
    for word, told in shares.items():
        if told:
            claim = (f"values of {join(told)} in the block '{name}' pile up exactly at the {word} one, up to "
                     f"{max(told.values()):.0%} of a column, as at a limit of measurement{note}")
            out.append(found(data, "LOOK-CENSORED", "note", claim, columns=tuple(told)[:50], source="censored",
                             values={"columns": len(told), "share": max(told.values()), "end": word}))
    return out


def piled(values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """("smallest" or "largest", which values) where a continuous column piles up at its end.

    A law with a density gives no ties, and rounding gives all values near an end like counts: a pile at the very end,
    many times the usual count of a value, is made by a limit. A pile at zero is none: that is how much there was.
    """
    known = values[~np.isnan(values)]
    levels, counts = np.unique(known, return_counts=True)
    if len(levels) < LEVELS:
        return []
    out = []
    for word, place in (("smallest", 0), ("largest", -1)):
        others = np.delete(counts, place)
        many = counts[place] >= max(FEWEST, SHARE * len(known)) and counts[place] > TIMES * np.median(others)
        if many and levels[place] != 0:
            out.append((word, values == levels[place]))
    return out
