"""Explanations by name: what `gnomon explain --technique` runs, what it will take, and what it refuses in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.attribute._attempts import Attempt
from gnomon.analyses.attribute._case import Case, strongest
from gnomon.analyses.attribute._explain import (
    EXPLAINED,
    REFERENCE,
    SCALAR_ROWS,
    Explained,
    _entry,
    _fullest,
    _uses,
    _withheld,
    audited,
    judged,
)
from gnomon.analyses.attribute._ground import Ground, Piece
from gnomon.analyses.attribute._pictures import patches_of, pictures_of
from gnomon.analyses.attribute._printed import AUDIT_SHARE, agreements, printed
from gnomon.analyses.attribute._question import ask
from gnomon.analyses.attribute._statements import Held, statements
from gnomon.analyses.attribute._techniques import TECHNIQUES, seconds_for
from gnomon.data.table import Data
from gnomon.errors import InputError
from gnomon.rng import stream
from gnomon.values import Check, Finding, plain

SCALAR = ("number", "category", "date")
ROOM = 0.5  # of the time left that techniques may take for more than EXPLAINED rows of text, images, molecules, sequences
LISTED = 12  # pieces of one row that are listed


@dataclass(frozen=True)
class Asked:
    """The rows and the case of a question put by name. units: of the case's rows. named: places in case.rows of the rows
    asked for by number. held: everything held out, on which statements over many rows are checked."""

    case: Case
    units: np.ndarray
    note: str
    named: np.ndarray
    held: Held

    def only(self, count: int) -> Asked:
        """The same about the first rows: those named, then others by lot."""
        kept = np.arange(max(min(count, len(self.case.rows)), len(self.named)))
        return replace(self, case=self.case.only(kept), units=self.units[kept])


def known(names: Sequence[str], more: Sequence[str] = ()) -> tuple[str, ...]:
    """The names, hyphens or spaces forgiven, each once; refused in words when one is none of TECHNIQUES, nor of `more`."""
    import difflib

    tidy = tuple(dict.fromkeys(n.strip().lower().replace("-", "_").replace(" ", "_") for n in names))
    for name in tidy:
        if name not in TECHNIQUES and name not in more:
            near = difflib.get_close_matches(name, (*TECHNIQUES, *more), n=2)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            layers = f"; of layers: {', '.join(sorted(more))}" if more else ""
            raise InputError("E-TECHNIQUE", f"no attribution is called '{name}'",
                             do=f"{hint}known: {', '.join(sorted(TECHNIQUES))}{layers}")
    return tidy


def asked(learned: Any, task: Any, data: Data, rows: np.ndarray, units: np.ndarray, *, named: Sequence[int] = (), seed: int = 0,
          fit_again: Callable[[int], Any] | None = None, end: float, show_rows: bool = False) -> Asked:
    """Which rows are explained: those named (0-based positions in the input as read) and, so that the gates can be judged
    and something said of many, at most 200 held-out ones beside them, by lot."""
    whole, (learned, note) = learned, strongest(learned)
    place = {int(p): i for i, p in enumerate(data.position)}
    absent = [r for r in named if r not in place]
    if absent:
        raise InputError("E-ROW", f"row {absent[0]} is not among the {len(data):,} rows read (counted from 0)",
                         do=f"give rows from {int(data.position.min())} to {int(data.position.max())}")
    wanted = np.array([place[r] for r in dict.fromkeys(named)], dtype=np.int64)
    rows = np.asarray(rows)
    others = stream(seed, "explained").permutation(rows[~np.isin(rows, wanted)])
    structured = any(data.kind(c) not in SCALAR for c in data.inputs)
    most = min(SCALAR_ROWS, max(EXPLAINED, len(rows) // 2)) if structured else SCALAR_ROWS  # cues are removed from the rest
    chosen = np.concatenate([wanted, others[:max(0, most - len(wanted))]]).astype(np.int64)
    reference = rows[np.sort(stream(seed, "reference").permutation(len(rows))[:REFERENCE])]
    question = ask(task, learned.predict(data, chosen), part=_fullest(task, data, rows), of=learned)
    case = Case(learned, task, data, chosen, reference, question, seed, fit_again, end, np.asarray(units), show_rows)
    held = Held(whole, task, data, rows, np.asarray(units), reference, seed, end)
    return Asked(case, np.asarray(units)[chosen], note, np.arange(len(wanted)), held)


def estimates(question: Asked, names: Sequence[str]) -> dict[str, float]:
    """Technique -> seconds for all its rows, gates included: each measured by a small call; what does not apply costs 0."""
    return {name: seconds_for(question.case, name) for name in names}


def priced(question: Asked, names: Sequence[str]) -> tuple[Asked, dict[str, float]]:
    """The question about as many rows as take at most half of the time left (all, or about 48), and its estimates. The
    gates' randomised copies, which may have to be fitted, are made before, once for all techniques."""
    question.case.randomised()
    costs = estimates(question, names)
    if sum(costs.values()) > ROOM * (question.case.end - time.monotonic()) and len(question.case.rows) > EXPLAINED:
        question = question.only(EXPLAINED)
        costs = estimates(question, names)
    return question, costs


def explain_asked(question: Asked, names: Sequence[str], *, recipe: str = "", most_examples: int = 24) -> Explained:
    """Every technique asked for, in turn, while time is left, each behind both gates and with its agreement with the others."""
    whole = question.case.end
    early = whole if whole == float("inf") else whole - AUDIT_SHARE * max(0.0, whole - time.monotonic())
    case, held, attempts = replace(question.case, end=early), replace(question.held, end=early), []
    findings: list[Finding] = []
    checks: list[Check] = []
    for name in names:
        found = TECHNIQUES[name](case) if time.monotonic() < case.end else f"no time left for {name.replace('_', ' ')}"
        if isinstance(found, Attempt):
            attempts.append(replace(found, units=question.units[found.kept], note=question.note))
        else:
            checks.append(Check("WHY-WITHHELD", False, found or f"{name.replace('_', ' ')} has nothing to rank in these rows"))
    entries, pictures, passing = [], [], []
    for attempt in attempts:
        gates = judged(attempt, case.seed)
        passed = all(g.passed for g in gates)
        entry = _entry(attempt, gates, recipe)
        if passed:
            entry.update(statements(attempt, held))
            entry["by_row"] = [_row(attempt, i, int(case.data.position[attempt.rows[i]]))
                               for i in question.named if i < len(attempt.scores)]
            typical = [c["typical"] for c in (entry.get("clusters") or {}).get("found") or ()]
            first = [int(case.data.position[attempt.rows[i]]) for i in question.named if i < len(attempt.rows)] + typical
            pictures += [{**p, "recipe": recipe} for p in (*pictures_of(attempt, case.data, case.task, most_examples, first),
                                                           *patches_of(entry, attempt))]
            passing.append((attempt, entry))
        else:
            entry["other_checks"] += agreements(attempt, attempts)
            findings.append(_withheld(attempt, gates))
        entries.append(entry)
    for attempt, entry in passing:  # last: an audit may never cost an explanation
        entry["other_checks"] += printed(attempt, replace(case, end=whole).only(attempt.kept), attempts)
        findings += [f for f in [_uses(attempt, entry)] if f is not None]
    return Explained(tuple(plain(audited(e)) for e in entries), tuple(findings), tuple(pictures), tuple(checks))


def _row(attempt: Attempt, row: int, position: int) -> dict[str, Any]:
    """One row's largest contributions, for people and files; whole: by column, where some stand beside letters or atoms."""
    ground, scores = attempt.ground, attempt.scores[row]
    out: dict[str, Any] = {"row": position}
    if isinstance(ground, Ground):
        told = [k for k, p in enumerate(ground.pieces[row])  # what the technique says nothing about is not said to be 0
                if any(name in attempt.columns for name in ([part.what for part in p.parts] or [p.column]))]
        pieces, scores = [ground.pieces[row][k] for k in told], scores[told]
        names = [p.label if p.parts else _place(ground, row, p) for p in pieces]
        if len({bool(p.span) for p in pieces}) == 2:
            sums: dict[str, float] = {}
            for piece, score in zip(pieces, scores, strict=True):
                sums[piece.label] = sums.get(piece.label, 0.0) + float(score)
            out["whole"] = [{"what": k, "value": v} for k, v in sorted(sums.items(), key=lambda kv: -abs(kv[1]))[:LISTED]]
    else:
        names = [ground.names[j] for j in ground.present[row]]
    order = np.argsort(-np.abs(scores), kind="stable")[:LISTED]
    return {**out, "pieces": [{"what": names[k], "value": float(scores[k])} for k in order]}


def _place(ground: Ground, row: int, piece: Piece) -> str:
    """A piece of a structured input for people, places counted from 1; words are not repeated, as they may be private."""
    kind, start, stop = ground.data.kind(piece.column), *piece.span[:2]
    if kind == "image":
        left, right = piece.span[2:]
        return f"{piece.column}, pixels {left + 1}-{right} from the left, {start + 1}-{stop} from the top"
    if kind == "text":
        return f"{piece.column}, letters {start + 1}-{stop}"
    value = ground.data.columns[piece.column].take(np.array([row]))[0] or ""
    if kind == "molecule":
        from rdkit import Chem

        return f"atom {start + 1} ({Chem.MolFromSmiles(value).GetAtomWithIdx(start).GetSymbol()})"
    return f"{value[start:stop][:24]} at {start + 1}"


def suited(learned: Any, data: Data) -> tuple[str, ...]:
    """The techniques that suit a model when rows are asked for and none is named."""
    from gnomon.analyses.attribute._features import way_of
    from gnomon.methods._fitted import Fitted
    from gnomon.methods._network import Network

    member, _ = strongest(learned)
    structured = any(data.kind(c) not in SCALAR for c in data.inputs)
    if isinstance(member, Network):
        return ("integrated_gradients", "occlusion") if structured else ("integrated_gradients",)
    own = way_of(member.estimators[0]) if isinstance(member, Fitted) and not structured else None
    return (own,) if own else ("occlusion",)
