"""What a person wrote into plan.toml, checked by type and range: refused in words, naming the line, before it is used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gnomon.card import catalogue
from gnomon.errors import InputError
from gnomon.methods._snapshots import MOST
from gnomon.workflow.options import seconds_of

SETTINGS = ("budget_seconds", "memory_mb", "threads", "snapshots")
TABLES = ("made_for", "columns", "split", "actions", "left_out")
LINES = ("model", "method", "family", "steps", "options", "seeds", "seconds")  # of a candidate
FAMILIES = ("floor", "simple", "deep")


def refused(where: Any, what: str, do: str) -> InputError:
    return InputError("E-PLAN", f"{where}: {what}", do=do)


def near(name: str, names: Iterable[str], otherwise: str = "") -> str:
    """`did you mean 'columns'?`, else what may be written."""
    names = list(names)
    found = difflib.get_close_matches(name, names, n=2)
    return f"did you mean {' or '.join(map(repr, found))}?" if found else otherwise or f"use one of {', '.join(names)}"


def check_sections(body: Mapping[str, Any], path: Path) -> None:
    """Every setting, section and action is one that is read, and what stands in it is of its type."""
    for name, value in body.items():
        if name not in (*SETTINGS, *TABLES, "candidate"):
            raise refused(path, f"'{name}' is no setting and no section", near(name, (*SETTINGS, *TABLES, "candidate")))
        if name in TABLES and not isinstance(value, Mapping):
            raise refused(path, f"{name} = {value!r}", f"write it as a section, [{name}]")
    if not isinstance(body.get("candidate", []), list):
        raise refused(path, "candidate is no list", "begin each candidate with [[candidate]]")
    for name, value in body.get("split", {}).items():
        if name != "policy" or not isinstance(value, str):
            raise refused(path, f"[split] {name} = {value!r}", 'the section holds one line: policy = "..."')
    for name, value in body.get("actions", {}).items():
        if not isinstance(value, bool):
            raise refused(path, f'[actions] "{name}" = {value!r}', "write true or false, without quotes")


def check_candidate(entry: Any, number: int, path: Path) -> None:
    """One [[candidate]]: its model and method exist, its numbers are whole and in range."""
    if not isinstance(entry, Mapping) or not entry.get("model"):
        raise refused(path, f"candidate {number} names no model", 'add model = "..."')
    where = f"{path}: candidate {number} ({entry['model']})"
    for name in entry:
        if name not in LINES:
            raise refused(where, f"'{name}' is not read", near(name, LINES))
    if not isinstance(entry.get("options", {}), Mapping):
        raise refused(where, f"options = {entry['options']!r}", 'write options = {name = value}')
    _check_words(entry, where)
    for name, least in (("steps", 0), ("seeds", 1)):
        whole(entry.get(name, least), name, where, least)
    number_of(entry.get("seconds", 0.0), "seconds", where)


def _check_words(entry: Mapping[str, Any], where: str) -> None:
    """model, method and family are words that gnomon knows; a floor is both by name and by family."""
    model, method, family = entry["model"], entry.get("method", "own_fit"), entry.get("family", "simple")
    if family not in FAMILIES:
        raise refused(where, f"family = {family!r}", f"use one of {', '.join(FAMILIES)}")
    if (family == "floor") != (model == "floor"):
        raise refused(where, f"family = {family!r}", 'only model = "floor" is of the family "floor"')
    if family == "floor":
        return
    for name, word, place in (("model", model, "gnomon.models."), ("method", method, "gnomon.methods.")):
        known = [key for key, card in catalogue().items() if card.module.startswith(place)]
        own = name == "model" and ".py:" in str(word)
        if word not in known and not own:
            raise refused(where, f"{name} = {word!r} is unknown", near(str(word), known, "see `gnomon cards`"))


def whole(value: Any, name: str, where: Any, least: int, most: int | None = None) -> int:
    """A whole number in range."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise refused(where, f"{name} = {value!r}", f"write a whole number {limits}")
    return int(value)


def number_of(value: Any, name: str, where: Any) -> float:
    """A number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise refused(where, f"{name} = {value!r}", "write a number, 0 or more")
    return float(value)


def settings_of(body: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """memory_mb, threads, snapshots, and budget_seconds, which may be written 10m."""
    budget = body.get("budget_seconds", 600.0)
    try:
        seconds = seconds_of(budget)
    except InputError:
        raise refused(path, f"budget_seconds = {budget!r}", 'write seconds, or a length of time such as "10m"') from None
    return {"memory_mb": number_of(body.get("memory_mb", 0.0), "memory_mb", path), "budget": seconds,
            "threads": whole(body.get("threads", 0), "threads", path, 0),
            "snapshots": whole(body.get("snapshots", 0), "snapshots", path, 0, MOST)}
