"""From many rows' attributions to statements: motifs, substructures, dependence curves, and what removing a cue costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.attribute._case import strongest
from gnomon.analyses.attribute._ground import Ground, ground_of
from gnomon.analyses.attribute._inputs import parts_of
from gnomon.analyses.attribute._pictures import weights_of
from gnomon.analyses.attribute._question import Question, ask
from gnomon.analyses.attribute._together import clusters_of, regions_of
from gnomon.analyses.attribute.counterfactual_removal import counterfactual_removal
from gnomon.analyses.attribute.dependence import dependence
from gnomon.analyses.attribute.h_statistic import h_statistic
from gnomon.analyses.attribute.motifs import Motif, motifs, occurrences
from gnomon.analyses.attribute.substructures import Substructure, drawing, holders, substructures
from gnomon.data.features._sequences import is_mutations
from gnomon.data.table import Data
from gnomon.data.tokens import FIXED
from gnomon.rng import stream
from gnomon.values import plain

REMOVED = 200  # held-out rows that cues are removed from, rows that were not explained
FEWEST = 10  # such rows that must hold a cue
CUES, DRAWS = 3, 8  # cues removed; random cues a row
SHOWN = 6  # motifs, substructures
CURVES, CURVE_ROWS, BINS = 3, 200, 16
PAIR_ROWS = 24  # of the interaction of two columns
CELL = 5  # categories with fewer rows are not told of


@dataclass(frozen=True)
class Held:
    """What statements are checked on: everything held out, and who predicts. rows, units: of the study; end: by the
    monotonic clock."""

    learned: Any
    task: Any
    data: Data
    rows: np.ndarray
    units: np.ndarray
    reference: np.ndarray
    seed: int
    end: float

    def fresh(self, seen: np.ndarray) -> np.ndarray:
        """Held-out rows of other units than those `seen`: what was found cannot have been found on them."""
        open_ = self.rows[~np.isin(self.units[self.rows], self.units[seen])]
        return np.sort(stream(self.seed, "fresh rows").permutation(open_)[:REMOVED])


def statements(attempt: Any, held: Held) -> dict[str, Any]:
    """The additions to an explanation that passed its gates: "motifs", "substructures" or "regions", "removal" and
    "clusters"."""
    units = held.units[attempt.rows]
    return {**_claims(attempt, held), **plain(clusters_of(attempt, held, units))}


def _claims(attempt: Any, held: Held) -> dict[str, Any]:
    column = _structured(attempt, held.data)
    pictures = _structured(attempt, held.data, ("image",))
    if pictures is not None:
        return plain(regions_of(attempt, held.data, pictures, held.units[attempt.rows], held.seed))
    if isinstance(attempt.ground, Ground) and column is not None:
        values = list(held.data.columns[column].take(attempt.rows))
        weights = [weights_of(attempt, i, column) for i in range(len(values))]
        units = held.units[attempt.rows]
        if held.data.kind(column) == "sequence" and not is_mutations(np.array(values, dtype=object)):
            found = motifs(values, weights, units=units, letters=letters_of(held.data, column, values), seed=held.seed)
            return plain({"motifs": {"column": column, "rows": len(values), "found": [motif_entry(m) for m in found[:SHOWN]]},
                          **_removals(attempt, held, [_motif_cue(m, column) for m in found[:CUES]])})
        if held.data.kind(column) == "molecule":
            groups = substructures(values, weights, units=units, most=SHOWN)
            cues = [_group_cue(g, column) for g in sorted(groups, key=lambda g: -g.count)[:CUES]]
            return plain({"substructures": {"column": column, "rows": len(values),
                                            "found": [group_entry(g, values) for g in groups]},
                          **_removals(attempt, held, cues)})
        return {}
    if isinstance(attempt.ground, Ground) and attempt.pieces == "columns" and len(attempt.ground.pieces[0]) > 1:
        names, place = np.unique(held.units[attempt.rows], return_inverse=True)
        half = stream(held.seed, "claiming half").permutation(len(names))[place] < len(names) / 2
        best = int(np.argmax(np.mean(np.abs(np.stack(attempt.scores)[half]), axis=0)))
        label = attempt.ground.pieces[0][best].label
        return plain(_removals(attempt, held, [_column_cue(label)], seen=attempt.rows[half]))
    return {}


def _structured(attempt: Any, data: Data, kinds: tuple[str, ...] = ("sequence", "molecule")) -> str | None:
    """The one column of letters or atoms (or of `kinds`) that an attempt is about."""
    if not isinstance(attempt.ground, Ground):
        return None
    named = list(dict.fromkeys(p.column for row in attempt.ground.pieces for p in row if p.span))
    return named[0] if len(named) == 1 and data.kind(named[0]) in kinds else None


def letters_of(data: Data, column: str, values: Sequence[str | None]) -> str:
    """The alphabet: the fixed one of DNA, RNA and proteins, else what occurs."""
    fixed = FIXED.get(data.columns[column].spec.detail, "").replace("-", "")
    return fixed or "".join(sorted({c for v in values if v for c in v.upper()}))


def motif_entry(motif: Motif) -> dict[str, Any]:
    return {"consensus": motif.consensus, "letters": motif.letters, "shares": np.round(motif.shares, 3),
            "information": np.round(motif.information, 3), "rows": motif.rows, "sites": len(motif.sites),
            "value": motif.value, "low": motif.low, "high": motif.high}


def group_entry(group: Substructure, smiles: Sequence[str | None]) -> dict[str, Any]:
    smallest = min(range(len(group.rows)), key=lambda k: len(smiles[group.rows[k]] or ""))
    return {"smiles": group.smiles, "radius": group.radius, "count": group.count, "value": group.value, "low": group.low,
            "high": group.high, "picture": drawing(str(smiles[group.rows[smallest]]), group.atoms[smallest][0],
                                                          up=group.value > 0)}


@dataclass(frozen=True)
class Cue:
    """name: for people. raises: as claimed; None for "moves". masks: of a ground's rows, over their pieces."""

    name: str
    raises: bool | None
    masks: Callable[[Ground], list[np.ndarray]]


def _motif_cue(motif: Motif, column: str) -> Cue:
    def masks(ground: Ground) -> list[np.ndarray]:
        texts = [s or "" for s in ground.data.columns[column].take(np.arange(len(ground)))]
        out = [np.zeros(len(p), dtype=bool) for p in ground.pieces]
        for row, start in occurrences(motif, texts):
            stop = start + len(motif.counts)
            out[row] = np.array([p.column == column and p.span[0] < stop and p.span[1] > start for p in ground.pieces[row]])
        return out

    return Cue(motif.consensus, motif.value > 0, masks)


def _group_cue(group: Substructure, column: str) -> Cue:
    def masks(ground: Ground) -> list[np.ndarray]:
        smiles = list(ground.data.columns[column].take(np.arange(len(ground))))
        found = holders(smiles, [group.key])[group.key]
        return [np.array([p.column == column and bool(p.span) and p.span[0] in found.get(i, ()) for p in pieces], dtype=bool)
                for i, pieces in enumerate(ground.pieces)]

    return Cue(group.smiles, group.value > 0, masks)


def _column_cue(label: str) -> Cue:
    return Cue(label, None, lambda ground: [np.array([p.label == label for p in pieces]) for pieces in ground.pieces])


def _removals(attempt: Any, held: Held, cues: Sequence[Cue], seen: np.ndarray | None = None) -> dict[str, Any]:
    """{"removal": ...}: each cue's effect on held-out rows that played no part in finding it, or why it was not checked.
    seen: the rows it was found on; None for all that were explained."""
    if not cues:
        return {}
    rows = held.fresh(attempt.rows if seen is None else seen)
    learned = strongest(held.learned)[0]
    start = time.monotonic()
    prediction = learned.predict(held.data.take(rows), np.arange(len(rows))) if len(rows) >= FEWEST else None
    if prediction is None:
        return {"removal": {"found": [], "why": "too few held-out rows are left that played no part in finding it"}}
    cost = (time.monotonic() - start) * 2 * DRAWS
    question = ask(held.task, prediction, part=max(attempt.question.part, 0), of=learned)
    ground = ground_of(held.data, rows, held.reference, question, learned.predict, seed=held.seed)
    found: list[dict[str, Any]] = []
    why = ""
    for cue in cues:
        if time.monotonic() + cost > held.end:
            why = f"no time left to remove {cue.name}"
            break
        masks = cue.masks(ground)
        masks = [m if not m.all() else np.zeros_like(m) for m in masks]  # a row that is all cue has nothing to compare with
        if sum(bool(m.any()) for m in masks) < FEWEST:
            why = f"fewer than {FEWEST} other held-out rows hold {cue.name}"
            continue
        told = counterfactual_removal(ground, masks, held.task, held.task.truth(held.data, rows), held.units[rows],
                                      raises=cue.raises, draws=DRAWS, seed=held.seed)
        found.append({"cue": cue.name, "raises": cue.raises, **told.entry})
    return {"removal": {"found": found, "why": why, "about": logged(question.what)}}


def curves_of(importances: Sequence[Any], held: Held) -> dict[str, Any]:
    """{"dependence": ...}: curves of the most important numbers and categories, and how strongly each pair interacts."""
    drawn = {c for c in held.data.inputs if held.data.kind(c) in ("number", "category")}
    parts = {p.what: p for p in parts_of(held.data) if p.column in drawn}
    named = [i.what[0] for i in importances if i.what[0] in parts and (i.low is None or i.low > 0) and i.value > 0][:CURVES]
    if not named:
        return {}
    rows = np.sort(stream(held.seed, "curve rows").permutation(held.rows)[:CURVE_ROWS])
    own, units = held.data.take(rows), held.units[rows]
    start = time.monotonic()
    prediction = held.learned.predict(own, np.arange(len(own)))
    cost = (time.monotonic() - start) * (BINS + 1)
    question, about = _one_question(held.task, prediction)

    def answer(data: Data) -> np.ndarray:
        everyone = np.arange(len(data))
        return question.answer(held.learned.predict(data, everyone), np.zeros(len(data), dtype=int))

    curves: list[dict[str, Any]] = []
    for name in named:
        if time.monotonic() + cost > held.end:
            break
        part = parts[name]
        if _varies(own, part):
            found = dependence(answer, own, part.column, units=units, bins=BINS, place=part.place, seed=held.seed)
            curves.append(_curve_entry(found, name, own))
    pairs = []
    plain_columns = [n for n in named if parts[n].place < 0 and any(c["column"] == n for c in curves)]
    for a, b in ((a, b) for k, a in enumerate(plain_columns) for b in plain_columns[k + 1:]):
        if time.monotonic() + cost * 3 * PAIR_ROWS**2 / max(len(own) * (BINS + 1), 1) > held.end:
            break
        pairs.append(asdict(h_statistic(answer, own, a, b, units=units, most=PAIR_ROWS, seed=held.seed)))
    return plain({"dependence": {"about": about, "rows": len(own), "curves": curves, "interactions": pairs}}) if curves else {}


def logged(what: str) -> str:
    """Odds are told of by their logarithm wherever amounts are."""
    return what.replace("the odds of", "the log odds of", 1) if what.startswith("the odds of") else what


def _varies(data: Data, part: Any) -> bool:
    values = data.columns[part.column].take(np.arange(len(data)))
    if data.kind(part.column) == "category":
        return len(np.unique(values[values >= 0])) > 1
    values = values.reshape(len(data), -1)[:, max(part.place, 0)].astype(float)
    known = values[np.isfinite(values)]
    return len(known) > FEWEST and len(np.unique(np.quantile(known, [0.025, 0.975]))) > 1


def _one_question(task: Any, prediction: Any) -> tuple[Question, str]:
    """One question for every row: of more than two classes, about the one most often predicted."""
    question = ask(task, prediction)
    if question.classes is None or len(question.names) == 2:
        return question, logged(question.what)
    most = int(np.bincount(question.classes).argmax())
    return replace(question, classes=np.full(len(question.classes), most)), f"the log odds of {question.names[most]}"


def _curve_entry(found: Any, name: str, data: Data) -> dict[str, Any]:
    kept: Any = slice(None)
    if found.local is None:
        names = data.columns[found.column].spec.categories
        codes = data.columns[found.column].take(np.arange(len(data)))
        kept = [k for k, at in enumerate(found.at) if (codes == names.index(at)).sum() >= CELL]
    pick: Callable[[Any], Any] = lambda v: None if v is None else np.asarray(v, dtype=object)[kept]  # noqa: E731
    return {"column": name, "kind": "partial dependence" if found.local is None else "accumulated local effects",
            "at": pick(found.at), "curve": pick(found.curve), "low": pick(found.low), "high": pick(found.high),
            "partial": pick(found.partial)}


