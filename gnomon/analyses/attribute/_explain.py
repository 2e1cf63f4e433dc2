"""Explain one learned thing: what it leans on, behind the two gates; withheld, with the reason, when it fails one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from gnomon.analyses.attribute._attempts import Attempt, attempts_for
from gnomon.analyses.attribute._case import Case, strongest
from gnomon.analyses.attribute._gates import Gate
from gnomon.analyses.attribute._ground import Ground
from gnomon.analyses.attribute._inputs import named
from gnomon.analyses.attribute._intervals import mean_over_units
from gnomon.analyses.attribute._pictures import patches_of, pictures_of
from gnomon.analyses.attribute._printed import AUDIT_SHARE, printed, with_meaning
from gnomon.analyses.attribute._question import ask
from gnomon.analyses.attribute._statements import Held, curves_of, statements
from gnomon.analyses.attribute.deletion_against_random import deletion_against_random
from gnomon.analyses.attribute.permutation_importance import Importances, labelled_sample, permutation_importance
from gnomon.analyses.attribute.randomised_weights import randomised_weights
from gnomon.data.table import Data
from gnomon.rng import stream
from gnomon.values import Check, Finding, finding, plain

EXPLAINED = 48  # rows attributed one by one; scalar columns only, which cost little: SCALAR_ROWS
SCALAR_ROWS = 200
REFERENCE = 1000  # rows that say what is usual (medians, letters, correlation)
SHARE = 0.4  # of the seconds go to permutation importance at most
CURVE_SHARE = 0.15  # and to dependence curves
STATED = {"motifs", "substructures", "regions", "removal", "clusters"}
NAMED = 4  # features named in a sentence
AXIS = re.compile(r": axis (\d+)$")  # a principal axis of a long block of features
NOTABLE = 0.1  # of the largest contribution; smaller ones are not named


@dataclass(frozen=True)
class Explained:
    """explanations: entries of report.json. findings: WHY-USES, WHY-WITHHELD. checks: what was not run, and why.
    pictures: rows with one weight an atom, pixel or letter, of explanations that passed both gates."""

    explanations: tuple[dict[str, Any], ...]
    findings: tuple[Finding, ...]
    pictures: tuple[dict[str, Any], ...]
    checks: tuple[Check, ...] = field(default=())


def explain(learned: Any, task: Any, data: Data, rows: np.ndarray, units: np.ndarray, *, seconds: float = 60.0,
            seed: int = 0, fit_again: Callable[[int], Any] | None = None, most_examples: int = 24,
            recipe: str = "", show_rows: bool = False) -> Explained:
    """Permutation importance, then the attributions that suit the model and the kinds of its inputs.

    rows: held out from training. units: (len(data),) the independent unit of every row. seconds: the clock decides how
    many rows are attributed (all chosen ones, 24 or 12; the entry says) and which whole techniques are left out (named
    in `checks`). fit_again(seed): the same recipe trained again on permuted labels, for models without weights to
    randomise; estimators over a view are instead fitted on `rows` with their labels dealt out anew where these are
    enough, which is faster. recipe: the hash to quote in the entries. show_rows: words of few rows may be named.
    """
    whole = time.monotonic() + seconds
    end = whole - AUDIT_SHARE * seconds
    rows, units = np.asarray(rows), np.asarray(units)
    shuffled = permutation_importance(learned, task, data, rows, units, seconds=SHARE * seconds, seed=seed)
    entries, checks = [_permutation_entry(shuffled, recipe)], _unchecked(shuffled)
    pictures: list[dict[str, Any]] = []
    judgements: list[tuple[Attempt, Case, list[Gate], dict[str, Any]]] = []
    reference = rows[np.sort(stream(seed, "reference").permutation(len(rows))[:REFERENCE])]
    held = Held(learned, task, data, rows, units, reference, seed, time.monotonic() + CURVE_SHARE * seconds)
    entries[0].update(curves_of(shuffled.found, held))
    held = replace(held, end=end)
    for case, build in _questions(learned, task, data, rows, units, seed, fit_again, end, show_rows):
        if time.monotonic() > end:
            checks.append(Check("WHY-WITHHELD", False, f"no time left for {build.keywords['technique']}"))
            continue
        attempt = build()
        if not isinstance(attempt, Attempt):
            checks += [Check("WHY-WITHHELD", False, attempt)] if attempt else []
            continue
        gates = judged(attempt, seed)
        entries.append(_entry(attempt, gates, recipe))
        judgements.append((attempt, case.only(attempt.kept), gates, entries[-1]))
        if entries[-1]["withheld"]:
            continue
        if not any(STATED & set(e) for e in entries):  # once, from the best-suited explanation that holds
            entries[-1].update(statements(attempt, held))
        typical = [c["typical"] for c in (entries[-1].get("clusters") or {}).get("found") or ()]
        pictures += [{**p, "recipe": recipe} for p in pictures_of(attempt, data, task, most_examples, typical)]
        pictures += [{**p, "recipe": recipe} for p in patches_of(entries[-1], attempt)]
    shown = [(attempt, case, entry) for attempt, case, _, entry in judgements if not entry["withheld"]]
    for attempt, case, entry in shown:  # last: an audit may never cost an explanation
        entry["other_checks"] += printed(attempt, replace(case, end=whole), [a for a, _, _ in shown])
    findings = [_withheld(a, gates) if entry["withheld"] else _uses(a, entry) for a, _, gates, entry in judgements]
    return Explained(tuple(plain(audited(e)) for e in entries), tuple(f for f in findings if f is not None), tuple(pictures),
                     tuple(checks))


def judged(attempt: Attempt, seed: int) -> list[Gate]:
    """Both gates."""
    return [randomised_weights(attempt.scores, attempt.again, attempt.units, of=attempt.of),
            deletion_against_random(attempt.ground, attempt.scores, attempt.units, seed=seed)]


def _questions(learned: Any, task: Any, data: Data, rows: np.ndarray, units: np.ndarray, seed: int,
               fit_again: Callable[[int], Any] | None, end: float, show_rows: bool) -> Iterator[tuple[Case, partial]]:
    """The attributions to try, best first: what is explained, and a partial that makes an Attempt."""
    learned, note = strongest(learned)
    rows, of_rows = labelled_sample(task, data, rows, units, seed)
    if not len(rows):
        return
    structured = any(data.kind(c) not in ("number", "category", "date") for c in data.inputs)
    chosen = stream(seed, "explained").permutation(len(rows))[:EXPLAINED if structured else SCALAR_ROWS]  # by lot: cut short
    reference = rows[np.sort(stream(seed, "reference").permutation(len(rows))[:REFERENCE])]
    question = ask(task, learned.predict(data, rows[chosen]), part=_fullest(task, data, rows), of=learned)
    case = Case(learned, task, data, rows[chosen], reference, question, seed, fit_again, end, units, show_rows)
    for build in attempts_for(case):
        yield case, partial(_with_units, build, of_rows[chosen], note, technique=build.keywords["technique"])


def _with_units(build: Callable[[], Attempt | str | None], units: np.ndarray, note: str, *,
                technique: str) -> Attempt | str | None:
    attempt = build()
    return replace(attempt, units=units[attempt.kept], note=note) if isinstance(attempt, Attempt) else attempt


def _fullest(task: Any, data: Data, rows: np.ndarray) -> int:
    """Of several targets, the one known in most rows."""
    if task.name != "several":
        return 0
    return int(np.isfinite(task.truth(data, rows)).sum(axis=0).argmax())


def _unchecked(shuffled: Importances) -> list[Check]:
    if not shuffled.unchecked:
        return []
    names = [named(g) for g in shuffled.unchecked]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return [Check("WHY-USES", False, f"no time left to shuffle {', '.join(names[:5])}{more}")]


def _permutation_entry(shuffled: Importances, recipe: str) -> dict[str, Any]:
    importances = []
    for item in shuffled.found:
        group = {"group": named(item.what)} if len(item.what) > 1 else {}
        importances += [{"what": what, "value": item.value, "low": item.low, "high": item.high, **group}
                        for what in item.what]
    return {"technique": "permutation_importance", "recipe": recipe, "importances": importances, "over": "units",
            "gates": [], "other_checks": [
                {"name": "held-out rows", "value": shuffled.rows}, {"name": "repeats", "value": shuffled.repeats},
                {"name": "gates", "value": "not needed: the measurement is itself a deletion against the intact rows"}],
            "withheld": False, "metric": shuffled.metric}


def _entry(attempt: Attempt, gates: list[Gate], recipe: str) -> dict[str, Any]:
    withheld = not all(g.passed for g in gates)
    importances = [] if withheld else column_importances(attempt)
    entry = {"technique": attempt.technique, "recipe": recipe, "importances": importances, "over": "units",
             "gates": [g.entry for g in gates], "other_checks": list(attempt.other_checks), "withheld": withheld,
             "target": attempt.question.target, "about": attempt.question.what, "rows": len(attempt.scores),
             "pieces": attempt.pieces}
    if attempt.note:
        entry["of"] = attempt.note
    if attempt.because:
        entry["because"] = attempt.because
    if attempt.features and not withheld:
        entry["features"] = feature_importances(attempt)
    return entry


def column_importances(attempt: Attempt) -> list[dict[str, Any]]:
    """Mean size of each input column's contribution over the rows, with its interval over units; largest first."""
    out = []
    for what, (sizes, group) in attempt.columns.items():
        value, low, high = mean_over_units(sizes, attempt.units)
        out.append({"what": what, "value": value, "low": None if low is None else max(low, 0.0), "high": high,
                    **({"group": group} if group else {})})
    return sorted(out, key=lambda e: -e["value"])


def feature_importances(attempt: Attempt, most: int = 20) -> list[dict[str, Any]]:
    """The features of the view that contribute most, and whether the output rises or falls with them."""
    out = []
    for what, (signed, values) in attempt.features.items():
        value, low, high = mean_over_units(np.abs(signed), attempt.units)
        out.append({"what": what, "value": value, "low": None if low is None else max(low, 0.0), "high": high,
                    "direction": direction(values, signed)})
    return sorted(out, key=lambda e: -e["value"])[:most]


def direction(values: np.ndarray, signed: np.ndarray) -> str:
    """"rise" or "fall" where contributions follow the feature's values closely (|rank correlation| > .5), else ""."""
    from gnomon.analyses.attribute._gates import flat, rank_correlation

    known = np.isfinite(values)
    if known.sum() < 10 or flat(values[known]) or flat(signed[known]):
        return ""
    rho = rank_correlation(values[known], signed[known])
    return "rise" if rho > 0.5 else "fall" if rho < -0.5 else ""


def audited(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry with what each audit's number means."""
    return {**entry, "other_checks": [with_meaning(check) for check in entry["other_checks"]]}


def _uses(attempt: Attempt, entry: dict[str, Any]) -> Finding | None:
    """One sentence on what the predictions rise and fall with, and the audits as evidence; None when nothing has a
    direction. Letters and atoms are named by what recurs in them."""
    listed = feature_importances(attempt) if attempt.features else []
    listed = [f for f in listed if f["value"] >= NOTABLE * listed[0]["value"]][:2 * NAMED]
    plain = [f for f in listed if not AXIS.search(f["what"])]
    column, recurring = _recurring(entry)
    said = []
    for way in ("rise", "fall"):
        inside, names = recurring.get(way, ()), [f["what"] for f in plain if f["direction"] == way][:NAMED]
        own = [f"{_and(inside)} in {column}"] if inside else []
        said += [f"{way} with {' and with '.join([*own, *([_and(names)] if names else [])])}"] if own or names else []
    also = [f["what"] for f in plain if not f["direction"]][:NAMED] + _patterns(listed)
    first = _foremost(attempt, entry)
    if first and listed and not recurring:  # never only what counts least
        said.insert(0, f"depend most on {first}")
    if not said and not also:
        return None
    also_said = f"{', and ' if said else ''}depend on {_and(also)}" if also else ""
    claim = (f"The model's predictions of {attempt.question.what} {', '.join(said) if also else _and(said)}{also_said}; "
             "this explanation passed both gates.")
    return finding("WHY-USES", "fine", claim, columns=tuple(dict.fromkeys(attempt.columns))[:20],
                   values={"technique": attempt.technique, "features": listed, "rows": len(attempt.scores),
                           **{check["name"]: check.get("says") or check["value"] for check in entry["other_checks"]}},
                   source=attempt.technique)


def _recurring(entry: dict[str, Any]) -> tuple[str, dict[str, list[str]]]:
    """The column of letters or atoms, and the motifs or substructures of it that predictions "rise" and "fall" with: those
    clear of 0 whose removal from other rows, where it was tried, did as claimed."""
    told = entry.get("motifs") or entry.get("substructures") or {}
    missed = {r["cue"] for r in (entry.get("removal") or {}).get("found") or () if not r["holds"]}
    out: dict[str, list[str]] = {}
    for item in told.get("found") or ():
        name = str(item.get("consensus") or item.get("smiles"))
        way = "rise" if (item["low"] or 0) > 0 else "fall" if (item["high"] or 0) < 0 else ""
        if way and name not in missed:
            out.setdefault(way, []).append(name)
    return str(told.get("column") or ""), {way: names[:NAMED] for way, names in out.items()}


def _foremost(attempt: Attempt, entry: dict[str, Any]) -> str:
    """The input of patches, letters, words or atoms that contributes more than any column does; or ""."""
    first = entry["importances"][0]["what"] if entry["importances"] else ""
    pieces = attempt.ground.pieces[0] if isinstance(attempt.ground, Ground) else ()
    return first if any(p.column == first and p.span for p in pieces) else ""


def _patterns(listed: list[dict[str, Any]]) -> list[str]:
    """Principal axes in words a person can read, an input at a time: an axis has no direction of its own."""
    axes: dict[str, list[str]] = {}
    for f in listed:
        if axis := AXIS.search(f["what"]):
            axes.setdefault(f["what"][:axis.start()], []).append(axis[1])
    return [f"patterns over the whole of '{column}' (principal ax{'es' if len(which) > 1 else 'is'} {_and(which[:NAMED])})"
            for column, which in axes.items()]


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _withheld(attempt: Attempt, gates: list[Gate]) -> Finding:
    """Which gates it failed, and which could not be judged: too few units fail nothing."""
    missed = [g for g in gates if not g.passed]
    ways = (("it failed {} ({})", [g for g in missed if g.told]),
            ("{} could not be judged ({})", [g for g in missed if not g.told]))
    said = " and ".join(way.format(_and([g.name for g in ones]), "; ".join(dict.fromkeys(g.says for g in ones)))
                        for way, ones in ways if ones)
    claim = f"The explanation by {attempt.technique.replace('_', ' ')} ({attempt.pieces}) is withheld: {said}."
    return finding("WHY-WITHHELD", "note", claim, values={g.name: g.entry for g in gates}, source=attempt.technique)
