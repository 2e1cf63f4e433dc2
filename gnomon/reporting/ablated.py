"""Parts that were left out of a candidate with `gnomon ablate`: what the score was with and without each."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.reporting import words
from gnomon.reporting._report import by_hash, judged_pair
from gnomon.values import turned

FILE = "ablations.json"


def ablations(folder: Path) -> list[dict[str, Any]]:
    """The entries of the study's ablations.json; none where there is no such file, or it was edited into nonsense."""
    try:
        found = json.loads((Path(folder) / FILE).read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except (OSError, ValueError, RecursionError):
        return []
    return [e for e in found if isinstance(e, dict)] if isinstance(found, list) else []


def ablated_section(report: Mapping[str, Any], found: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    """For the page: part, candidate, both scores, what the part is worth, and the command. Only of candidates as they are in
    this report: what was measured before the study changed is left out."""
    return [_row(report, e, name) for e in found if _still_so(report, e)]


def _still_so(report: Mapping[str, Any], e: Mapping[str, Any]) -> bool:
    """Whether the candidate still scores what it did when the part was left out; with class weights only that it is there."""
    candidate = by_hash(report, e.get("recipe"))
    valid = ((candidate or {}).get("valid") or {}).get("value")
    if candidate is None or valid is None or not all(isinstance(e.get(k), (int, float)) for k in ("with", "without", "value")):
        return False
    return bool(candidate.get("class_weights")) or math.isclose(valid, e["with"], rel_tol=1e-9, abs_tol=1e-12)


def _row(report: Mapping[str, Any], e: Mapping[str, Any], name: str) -> dict[str, Any]:
    low, high = e.get("low"), e.get("high")
    harms = high is not None and high < 0
    worth = e["value"], low, high
    told = words.interval(*(turned(*worth) if harms else worth))
    sure = harms or (low is not None and low > 0)
    scored, _ = judged_pair(report)
    other = scored is None or scored["recipe"]["hash"] != e["recipe"]
    command = ["gnomon", "ablate", name, str(e.get("part", "")), *(["--candidate", e["recipe"]] if other else [])]
    decimals = words.places(e["with"], e["without"], *(v for v in (low, high) if v is not None))
    return {
        "part": str(e.get("part", "")),
        "candidate": words.words(str(e.get("candidate", ""))),
        "metric": words.metric_name(str(e.get("metric", ""))),
        "with": words.number(e["with"], decimals=decimals),
        "without": words.number(e["without"], decimals=decimals),
        "says": "harms by" if harms else "helps by" if sure else "cannot be told from none:",
        "worth": told["value"],
        "limits": f"[{told['low']}, {told['high']}]" if told["low"] else "",
        "level_means": words.INTERVAL.format(level=e.get("level") or 0.95),
        "command": shlex.join(command),
    }
