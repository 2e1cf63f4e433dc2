"""Repeated measurements of one input, their spread, and pairs that contradict each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gnomon.analyses.explore._aim import aim_of
from gnomon.analyses.explore._coincidence import by_chance
from gnomon.analyses.explore._hashes import repeated, row_keys
from gnomon.analyses.explore._kit import Grouping, Looked, found, not_run, ran
from gnomon.analyses.explore._tails import reach
from gnomon.analyses.explore.duplicates import specimen
from gnomon.analyses.explore.identifiers import names_rows
from gnomon.card import Card
from gnomon.data.table import Data, missing

CARD = Card(
    name="Replicates and conflicting targets",
    gist="Same inputs, several targets: the spread of repeats bounds any model; conflicts are listed.",
    use_when="Inputs repeat: the replicate spread is the ceiling of the score, and a conflict asks the lab.",
    avoid_when="Inputs are so coarse that equal inputs are different specimens.",
    paper="Brown, Muchmore & Hajduk 2009, Healthy skepticism, Drug Discovery Today 14:420-427",
    survey=("P1", "P7"),
    needs=("labels",),
    cost="seconds",
)
SOME, MANY = 20, 100  # unequal repeats from which on their own spread, and then its tail, alone decide
FEW = 5  # groups of repeats below which the target's own spread is the yardstick


def replicates(data: Data, target: str, rows: np.ndarray, *, groups: Mapping[str, Grouping], seed: int = 0,
               seconds: float = 15.0) -> Looked:
    """LOOK-REPLICATE with the spread, LOOK-CONFLICT with the rows; facts: replicate_sd or replicate_error, repeats.

    Rows that are equal by chance are different specimens: they repeat nothing and contradict nothing.
    """
    aim = aim_of(data, target, rows)
    if aim is None:
        return Looked(checks=(not_run("LOOK-CONFLICT", "the target is neither a number nor a category"),))
    codes, same, chance = _equal_inputs(data, target, aim.rows, groups)
    checks = (ran("LOOK-REPLICATE", f"{FEW} inputs measured twice"),
              ran("LOOK-CONFLICT", "one pair of other class, or five replicate spreads apart"))
    if chance:
        why = "rows with equal inputs are so by chance, with so few distinct values: they are no repeated measurements"
        return Looked(checks=(not_run("LOOK-REPLICATE", why), not_run("LOOK-CONFLICT", why)), facts={"repeats": 0})
    places = np.flatnonzero(same)
    if not len(places):
        return Looked(checks=checks, facts={"repeats": 0})
    codes, values = codes[places], aim.values[places]
    _, codes = np.unique(codes, return_inverse=True)
    if aim.classes:
        odd, spread = _disagree(codes, values)
        said = f"repeats disagree on the class in {spread:.0%} of cases: no model can do better than that"
        said = said if spread else "repeats agree on the class"
        facts = {"repeats": int(codes.max() + 1), "replicate_error": spread}
    else:
        odd, spread = _apart(codes, values, float(np.std(aim.values)))
        said = f"their typical spread is {spread:.3g}: no model can do better than that"
        if spread == 0:
            said = "most repeats have equal targets: copies rather than new measurements"
        facts = {"repeats": int(codes.max() + 1), "replicate_sd": spread}
    findings = []
    if codes.max() + 1 >= FEW:
        claim = f"{codes.max() + 1:,} inputs were present more than once; {said}"
        findings.append(found(data, "LOOK-REPLICATE", "note", claim, rows=aim.rows[places], columns=(target,),
                              values=facts, source="replicates"))
    if odd.any():
        grade = "note" if (len(places) > 0.3 * len(aim) or spread > 0.2) and aim.classes else "warn"
        order = np.argsort(codes[odd], kind="stable")
        claim = f"{int(odd.sum()):,} rows with equal inputs contradict each other in '{target}'"
        findings.append(found(data, "LOOK-CONFLICT", grade, claim, rows=aim.rows[places][odd][order], columns=(target,),
                              values={"rows": int(odd.sum())}, source="replicates"))
    return Looked(tuple(findings), checks, facts=facts)


def _equal_inputs(data: Data, target: str, rows: np.ndarray, groups: Mapping[str, Grouping]
                  ) -> tuple[np.ndarray, np.ndarray, bool]:
    """(codes, whether the code repeats, whether chance makes it so) of equal inputs; specimens equal by look A count with all
    other inputs.

    A column that names groups counts where it is an input: models see it. Rows without their specimen repeat nothing.
    """
    special = specimen(data, rows)
    gone = missing(data.columns[special], rows) if special else np.zeros(len(rows), dtype=bool)
    names = tuple(n for n in data.inputs if n != target and not names_rows(data, n) and data.kind(n) != "image")
    keys = np.zeros(len(rows), dtype=np.uint64)
    canonical = groups.get("duplicates")
    rich = data.of_kind("image", "sequence", "molecule", "text")
    if canonical is not None and rich:
        names = tuple(n for n in names if data.kind(n) in ("number", "category", "date"))
        keys = canonical.codes[rows].astype(np.uint64)
    elif data.of_kind("image"):
        return np.arange(len(rows)), np.zeros(len(rows), dtype=bool), False
    rest, parts = row_keys(data, names, rows)
    if not names and canonical is None:
        return np.arange(len(rows)), np.zeros(len(rows), dtype=bool), False
    with np.errstate(over="ignore"):
        codes, counts = repeated(rest + keys * np.uint64(0x9E3779B97F4A7C15))
    alone = not rich and bool(names) and (counts > 1).any()
    return codes, (counts > 1) & ~gone, bool(alone and by_chance(data, rows, rest, parts))


def _disagree(codes: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, float]:
    """Rows of groups in which classes differ, and the share of rows outside their group's majority."""
    table = np.zeros((codes.max() + 1, classes.max() + 1))
    np.add.at(table, (codes, classes), 1)
    size = table.sum(axis=1)
    return (table.max(axis=1) < size)[codes], float(1 - table.max(axis=1).sum() / size.sum())


def _apart(codes: np.ndarray, values: np.ndarray, spread: float) -> tuple[np.ndarray, float]:
    """Rows of groups whose values lie too far apart, and the robust standard deviation between repeats."""
    size = np.bincount(codes)
    mean = np.bincount(codes, values) / size
    away = np.abs(values - mean[codes]) * np.sqrt(size / (size - 1))[codes]
    sd = float(1.4826 * np.median(away))
    moved = np.bincount(codes, away) > 0  # repeats with equal targets are copies: they say nothing about the spread
    real = sd if sd > 0 else float(1.4826 * np.median(away[moved[codes]])) if moved.any() else 0.0
    limit = 5 * max(real, 0.02 * spread) if moved.sum() >= FEW else spread
    # Many repeats: spreads differ between inputs, and only what lies beyond their own tail contradicts. Few repeats may
    # all be conflicts: then nothing but the target's own spread tells.
    if moved.sum() >= MANY:
        limit = max(limit, reach(np.maximum.reduceat(away[np.argsort(codes, kind="stable")],
                                                     np.concatenate([[0], np.cumsum(size)[:-1]]))[moved], 0.02))
    elif moved.sum() < SOME:
        limit = min(limit, 1.2 * spread)
    far = away > limit
    return np.bincount(codes, far, minlength=len(size))[codes] > 0, sd
