"""Rows whose inputs are the same."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._coincidence import by_chance
from gnomon.analyses.explore._hashes import column_keys, repeated, row_keys
from gnomon.analyses.explore._kit import RICH, Grouping, Looked, found, not_run, ran, relabel, sample, sampled_note
from gnomon.analyses.explore._molecules import chemistry
from gnomon.card import Card
from gnomon.data.table import Data, codes, missing

CARD = Card(
    name="Exact duplicates",
    gist="The same specimen in several rows, found by content: canonical molecules, pixels, sequences, whole rows.",
    use_when="Always, before splitting: a copy in both training and test makes the score a memory test.",
    avoid_when="Rows are cells of a designed grid; there equal inputs are repeats and are reported as such.",
    paper="Barz & Denzler 2020, Do we train on test data? Purging CIFAR of near-duplicates, arXiv:1902.00423",
    survey=("P1", "W4"),
    cost="seconds",
)
FEW = 0.01  # of the rows: were all of these on both sides of a split, a share of right answers would move by less
ALONE_FROM = 0.2  # a rich column with at least this share of distinct values is the specimen itself
WORDS = {"image": "image", "sequence": "sequence", "molecule": "molecule", "text": "text"}


def duplicates(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Groups of rows with equal inputs: by the specimen column when there is one, else by all inputs together.

    A molecule equals another when their canonical SMILES agree, an image when its pixels do. Equal rows of a table
    of few coarse columns are expected by chance: that is noted, and each row stays a unit of its own. A designed grid
    repeats on purpose: then the grade is `note`. So it is where fewer than 1 % of the rows are copies, for they are kept
    together and so few move no score (`unexpected` in the values tells them from the others: where a split that was given
    parts such copies, they are a warning all the same).
    """
    names = tuple(n for n in data.inputs if not unique_label(data, n))
    if not names or len(data) < 2:
        return Looked(checks=(not_run("LOOK-DUPLICATE", "no inputs to compare"),))
    rows = np.arange(len(data))
    if data.of_kind("image"):
        rows = sample(rows, int(3000 * seconds), seed, "duplicates")
    texts, parsed = _canonical(data, rows, int(2500 * seconds), seed)
    special = specimen(data, rows)
    if special:
        keys, parts = column_keys(data.columns[special], rows, text=texts.get(special)), {}
    else:
        keys, parts = row_keys(data, names, rows, texts)
    group, counts = repeated(keys)
    if special:  # what is not there is no copy of anything
        gone = missing(data.columns[special], rows)
        group, counts = np.where(gone, -1, group), np.where(gone, 1, counts)
    group = relabel(group)
    smallest = "one exact copy" + parsed + sampled_note(len(rows), len(data))
    facts = {"duplicate_rows": int((counts > 1).sum() - len(np.unique(group[counts > 1])))}
    if not facts["duplicate_rows"]:
        return Looked(checks=(ran("LOOK-DUPLICATE", smallest),), facts=facts)
    copies = facts["duplicate_rows"]
    chance = not special and by_chance(data, rows, keys, parts)
    claim, grade = _claim(data, special, len(rows), counts, copies, chance)
    unexpected = grade == "warn"
    grade = "note" if copies < FEW * len(rows) else grade
    claim += sampled_note(len(rows), len(data))
    all_codes = np.full(len(data), -1, dtype=np.int64)
    all_codes[rows] = group
    order = rows[np.lexsort((rows, group))]
    listed = order[counts[np.searchsorted(rows, order)] > 1]
    finding = found(data, "LOOK-DUPLICATE", grade, claim, rows=listed, columns=(special,) if special else (),
                    values={"copies": copies, "groups": len(np.unique(group[counts > 1])), "unexpected": unexpected},
                    source="exact keys of the inputs")
    checks = (ran("LOOK-DUPLICATE", smallest),)
    if chance:
        return Looked((finding,), checks, facts=facts)
    because = f"equal {WORDS.get(data.kind(special), 'value')}s in '{special}'" if special else "all inputs are equal"
    return Looked((finding,), checks, {"duplicates": Grouping(relabel(all_codes), because, "duplicate")}, facts=facts)


def specimen(data: Data, rows: np.ndarray) -> str:
    """The one image, sequence, molecule or text column that is the specimen, or "" when none or several could be."""
    able = []
    for name in data.of_kind(*RICH):
        if data.kind(name) == "image":
            able.append(name)
            continue
        few = rows[:: max(len(rows) // 20000, 1)]
        share = len(np.unique(codes(data.columns[name], few))) / len(few)
        if share >= ALONE_FROM:
            able.append(name)
    return able[0] if len(able) == 1 else ""


def unique_label(data: Data, name: str) -> bool:
    """Whether a category never repeats: a label of the row, which no copy would share."""
    column = data.columns[name]
    return column.spec.kind == "category" and len(column.spec.categories) > 0.95 * len(data)


def _canonical(data: Data, rows: np.ndarray, most: int, seed: int) -> tuple[dict[str, np.ndarray], str]:
    """(canonical SMILES by molecule column, what limits them, in words): of `most` distinct texts, a seeded sample beyond;
    the others stand as written, in all rows alike."""
    import pandas as pd

    out, limit = {}, ""
    for name in data.of_kind("molecule"):
        values = data.columns[name].take(rows)
        places, distinct = pd.factorize(values, use_na_sentinel=False)
        first = np.full(len(distinct), len(rows))
        np.minimum.at(first, places, np.arange(len(rows)))
        few = sample(np.arange(len(distinct)), most, seed, "canonical", name)
        chem = chemistry(data, name, rows[first[few]])
        told = np.where(pd.isna(distinct), None, distinct)
        if chem is not None:
            told[few] = np.where([c is not None for c in chem.canonical], chem.canonical, told[few])
        out[name] = told[places]
        if chem is not None and len(few) < len(distinct):
            limit = (f"; molecules written in different ways were told among {len(few):,} of {len(distinct):,} distinct texts, "
                     "the others by their texts")
    return out, limit


def _claim(data: Data, special: str, rows: int, counts: np.ndarray, copies: int, chance: bool) -> tuple[str, str]:
    """The sentence and the grade: a chance of coarse columns, a design that repeats, or a surprise."""
    total = f"{copies:,} of {rows:,} rows {'repeats' if copies == 1 else 'repeat'}"
    what = f"the {WORDS[data.kind(special)]}" if special else "all inputs"
    if chance:
        return (f"{total} the inputs of another row, as happens by chance with so few distinct values: each row counts for "
                "itself; true copies among them cannot be told"), "note"
    if (counts > 1).mean() > 0.5:
        return f"Most rows share {what} with another, by design or as copies: {total} one seen before", "note"
    return f"{total} {what} of another row", "warn"
