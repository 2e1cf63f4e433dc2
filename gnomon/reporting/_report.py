"""Reading a report: what several sections ask of report.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gnomon.card import catalogue
from gnomon.data.parts import folds_words
from gnomon.reporting import words
from gnomon.values import floor_label, turned


def label_of(candidate: Mapping[str, Any]) -> str:
    """A candidate's name: its model, and what it looks at."""
    recipe = candidate.get("recipe") or {}
    view = (recipe.get("options") or {}).get("view")
    name = str(candidate.get("label") or recipe.get("model") or "?")
    return words.words(name if candidate.get("label") or not view else f"{name} on {view}")


def estimate(e: Mapping[str, Any] | None, level: float = 0.95) -> dict[str, Any] | None:
    """A score ready to print, and what it is a score of."""
    if not e or e.get("value") is None:
        return None
    level = e.get("level") or level
    kind = words.ESTIMATORS.get(e.get("estimator", ""), ("", ""))
    method = f" Made by {words.words(e['method'])}." if e.get("method") else ""
    covers = f" It covers {e['includes']}." if e.get("includes") else ""
    return {
        **e,
        **{f"{k}_text": v for k, v in words.interval(e["value"], e.get("low"), e.get("high")).items()},
        "counted": counted(e),
        "metric_name": words.metric_name(e.get("metric", "")),
        "means": words.metric_means(e.get("metric", "")),
        "how": kind[0],
        "how_means": kind[1],
        "level_means": words.INTERVAL.format(level=level) + covers + method,
    }


def counted(e: Mapping[str, Any]) -> str:
    """What a score's units are: rows that are copies of others count once."""
    unit = str(e.get("unit") or "row")
    return "distinct row" if unit == "row" and (e.get("n_units") or 0) < (e.get("n_rows") or 0) else unit


def by_hash(report: Mapping[str, Any], recipe: str | None) -> dict[str, Any] | None:
    """The candidate with this recipe."""
    return next(
        (c for c in report.get("candidates") or () if recipe and (c.get("recipe") or {}).get("hash") == recipe), None
    )


def targets(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((report.get("task") or {}).get("targets") or ())


def higher_is_better(report: Mapping[str, Any]) -> bool:
    return bool(targets(report) and targets(report)[0].get("higher_is_better"))


def spoken(text: str, report: Mapping[str, Any]) -> str:
    """A sentence with our own keys as words (`support_vectors`, `rmse`); what is a column's name stays as it is."""
    columns = {str(c.get("name")) for c in (report.get("data") or {}).get("columns") or ()}
    keys = {key: words.words(key) for key in catalogue() if "_" in key}
    keys |= {key: name for key, (name, _) in words.METRICS.items() if key != name}
    return re.sub(r"\w+", lambda m: m[0] if m[0] in columns else keys.get(m[0], m[0]), text)


def split_words(report: Mapping[str, Any]) -> str:
    """"5-fold cross-validation, repeated 3 times", or "one validation part"."""
    s = report.get("split") or {}
    return folds_words(s.get("folds") or 1, s.get("repeats"))


def floor_words(candidate: Mapping[str, Any] | None) -> str:
    """A candidate by name; a floor by what it knows."""
    if candidate is None:
        return "the floor"
    options = (candidate.get("recipe") or {}).get("options") or {}
    return f"the floor ({floor_label(options)})" if candidate.get("family") == "floor" else label_of(candidate)


def judged_pair(report: Mapping[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """(the model whose score is the headline, the one chosen on validation rows)."""
    v = report.get("verdict") or {}
    chosen = by_hash(report, v.get("chosen_on_validation"))
    return by_hash(report, v.get("recommended")) or chosen, chosen


def no_signal_words(report: Mapping[str, Any]) -> str:
    """Where no model beat the floor: that it did not, and which test decided; else ""."""
    if (report.get("verdict") or {}).get("outcome") != "no-signal":
        return ""
    found = next((f for f in report.get("findings") or () if f.get("code") == "VALID-NO-SIGNAL"), {})
    values = found.get("values") or {}
    if not values.get("test"):
        return "No model beat the floor."
    p = "" if values.get("p") is None else f", one-sided p = {values['p']:.3g}"
    return f"No model beat the floor; this was decided by the test for any signal ({values['test']}{p})."


def difference_words(report: Mapping[str, Any]) -> str:
    """The paired comparison: who with whom, by which test, with its limits; "" where none was made. Where there is no signal it
    is not what decided."""
    v = report.get("verdict") or {}
    gap = v.get("difference") or {}
    if gap.get("p") is None:
        return ""
    ours, _ = judged_pair(report)
    found = gap["value"], gap.get("low"), gap.get("high")
    way, (value, low, high) = ("worse", turned(*found)) if found[0] < 0 else ("better", found)
    limits = "" if low is None else f" ({gap.get('level') or 0.95:.0%} interval {low:.3g} to {high:.3g})"
    aside = "; this comparison did not decide" if v.get("outcome") == "no-signal" else ""
    other = floor_words(by_hash(report, v.get("against")))
    return (f"{label_of(ours) if ours else 'The model'} was compared with {other}, fixed beforehand, on the same units by "
            f"{gap['test']}: {words.metric_name(targets(report)[0]['metric'])} {way} by "
            f"{value:.3g}{limits}, p = {gap['p']:.2g}{aside}.")


def openings_of(report: Mapping[str, Any]) -> int:
    """How often the sealed rows have been opened for different models."""
    return int((report.get("ledger") or {}).get("test_openings") or 0)
