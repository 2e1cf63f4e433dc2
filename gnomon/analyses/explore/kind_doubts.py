"""Columns read as one kind that may be another."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import Looked, blocks, found, join, ran, words
from gnomon.analyses.explore._names import numeric_share
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Doubtful kinds",
    gist="Numbers that look like codes of categories, categories made of numbers, sequences in a text column.",
    use_when="Always: a code read as a number gives an order that is not there.",
    avoid_when="The user stated the kinds.",
    paper="Shah et al. 2021, Towards benchmarking feature type inference for AutoML platforms, SIGMOD",
    survey=("P1", "W3"),
    cost="seconds",
)
CODED = ("code", "type", "kind", "category", "class", "region", "site", "group", "label", "flag", "status", "sex",
         "gender", "race", "country", "plate", "batch", "species", "method", "zip", "zipcode", "postcode", "cluster")


def kind_doubts(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Notes on columns whose kind is in doubt; `--kinds COL=KIND` settles it."""
    few, coded = [], []
    rows = np.arange(len(data))
    for name in data.of_kind("number"):
        column = data.columns[name]
        if not column.spec.shape and _named_code(name) and _few_whole(column.take(rows)):
            few.append(name)
    for _, names, values in blocks(data, rows):
        few += [n for j, n in enumerate(names) if _named_code(n) and _few_whole(values[:, j])]
    for name in data.of_kind("category"):
        levels = data.columns[name].spec.categories
        if len(levels) >= 20 and numeric_share(levels) >= 0.9:
            coded.append(name)
    findings = []
    if few:
        claim = f"{join(few)} may be codes of categories read as numbers; --kinds says which"
        findings.append(found(data, "LOOK-KIND", "note", claim, columns=tuple(few[:50]), source="kind_doubts"))
    if coded:
        claim = f"{join(coded)} may be numbers read as categories; --kinds says which"
        findings.append(found(data, "LOOK-KIND", "note", claim, columns=tuple(coded), source="kind_doubts"))
    return Looked(tuple(findings), (ran("LOOK-KIND", "a column named as a code with 3 to 50 whole values"),))


def _named_code(name: str) -> bool:
    return bool(set(words(name)) & set(CODED))


def _few_whole(values: np.ndarray) -> bool:
    """Whether the values (n,) are few whole numbers that come again and again."""
    known = values[~np.isnan(values)]
    levels = np.unique(known)
    return 3 <= len(levels) <= 50 and len(known) >= 5 * len(levels) and bool((levels == np.round(levels)).all())
