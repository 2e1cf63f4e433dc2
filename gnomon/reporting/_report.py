"""Reading a report: what several sections ask of report.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gnomon.card import catalogue
from gnomon.reporting import words


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
