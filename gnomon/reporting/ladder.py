"""The ladder of candidates: every score with its interval on one axis, by family."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gnomon.reporting import figures, words
from gnomon.reporting._report import estimate, higher_is_better, label_of, openings_of, targets

FAMILY_ORDER = ("floor", "simple", "deep", "ensemble")


def ladder(report: Mapping[str, Any], only: Collection[str] | None = None) -> dict[str, Any] | None:
    """All candidates with a score (or `only` these hashes) on one axis, by family; and those without a score."""
    v = report.get("verdict") or {}
    everything, corrected = with_headline(list(report.get("candidates") or ()), v)
    chosen_from = sum(c.get("family") != "floor" and c.get("valid") is not None for c in everything)
    everything = [c for c in everything if only is None or recipe_hash(c) in only]
    shown = [c for c in everything if (c.get("valid") or c.get("test") or {}).get("value") is not None]
    if not shown:
        return None
    higher = higher_is_better(report)
    shown.sort(key=lambda c: _place(c, higher))
    scale = figures.Scale(*figures.padded(reasonable(shown, v, higher)))
    grid = figures.ticks(scale.low, scale.high, 6)
    rows = [rung(c, v, scale, grid) for c in shown]
    metric = words.metric_name((shown[0].get("valid") or shown[0].get("test") or {}).get("metric", ""))
    groups: list[dict[str, Any]] = []
    for c, row in zip(shown, rows, strict=True):
        if not groups or groups[-1]["family"] != c.get("family"):
            name, means = words.FAMILIES.get(c.get("family", ""), (c.get("family", ""), ""))
            groups.append({"family": c.get("family"), "name": name, "means": means, "rows": []})
        groups[-1]["rows"].append(row)
    unit = next((t.get("unit") for t in targets(report) if t.get("unit")), "") if len(targets(report)) == 1 else ""
    better = "higher is better" if higher else "lower is better"
    return {
        "groups": groups,
        "axis": figures.axis_row(scale, grid, f"{metric}{f' ({unit})' if unit else ''}, {better}"),
        "metric": metric,
        "has_test": any(c.get("test") for c in shown),
        "better": better,
        "corrected": corrected,
        "openings": openings_of(report),
        "selected_of": chosen_from,
        "cut": [{"label": label_of(c), "why": c.get("cut")} for c in everything if c.get("cut")],
        "left_out": [
            {"label": words.words(e.get("model", "")), "why": e.get("because", "")}
            for e in report.get("left_out") or ()
        ],
        "by_target": by_target(shown),
    }


def recipe_hash(c: Mapping[str, Any]) -> str:
    return str((c.get("recipe") or {}).get("hash", ""))


def with_headline(candidates: list[dict[str, Any]], v: Mapping[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    """Without a sealed part, the headline (corrected for having picked the best) stands where the test score would."""
    head = v.get("headline") or {}
    if head.get("value") is None or head.get("estimator") != "bbc_cv" or any(c.get("test") for c in candidates):
        return candidates, False
    scored = v.get("recommended") or v.get("chosen_on_validation")
    return [{**c, "test": head} if recipe_hash(c) == scored else c for c in candidates], True


def _place(c: Mapping[str, Any], higher: bool) -> tuple[int, float]:
    """Families in order, the worst of each first: the eye climbs."""
    family = FAMILY_ORDER.index(c["family"]) if c.get("family") in FAMILY_ORDER else 1
    value = float((c.get("valid") or c["test"])["value"])
    return family, value if higher else -value


def reasonable(shown: Sequence[Mapping[str, Any]], v: Mapping[str, Any], higher: bool) -> list[float]:
    """Scores and ends of intervals that the axis must hold: all but those of a model that blew up, far worse than the worst
    floor, which must not flatten all the others. What the verdict names always fits."""
    sign = 1.0 if higher else -1.0
    values = [sign * float((c.get("valid") or c["test"])["value"]) for c in shown]
    floors = [u for u, c in zip(values, shown, strict=True) if c.get("family") == "floor"]
    middle = sorted(values)[len(values) // 2]
    least = min(floors, default=middle)
    far = sorted(abs(u - middle) for u in values)
    reach = max((max(values) - least) / 2, 4 * far[len(far) // 2]) or max(far) or abs(middle) or 1.0
    named = {v.get(k) for k in ("recommended", "chosen_on_validation", "against", "floor")}
    out = []
    for c in shown:
        always = c.get("family") == "floor" or recipe_hash(c) in named
        for e in (c.get("valid"), c.get("test")):
            ends = {k: float(e[k]) for k in ("value", "low", "high") if e.get(k) is not None} if e else {}
            out += [x for k, x in ends.items() if sign * x >= least - reach or (always and k == "value")]
    return out


def rung(c: Mapping[str, Any], v: Mapping[str, Any], scale: figures.Scale, grid: Sequence[float]) -> dict[str, Any]:
    """One candidate's row of the ladder."""
    best = bool(v.get("recommended")) and (c.get("recipe") or {}).get("hash") == v.get("recommended")
    valid, test = estimate(c.get("valid")), estimate(c.get("test"))
    marks = []
    if valid:
        marks.append(
            {"kind": "valid best" if best and not test else "valid", "title": said("validation", valid), **valid}
        )
    if test:
        marks.append({"kind": "test best" if best else "test", "title": said("test", test), **test})
    sd = c.get("seed_sd")
    return {
        "label": label_of(c),
        "best": best,
        "compared": (c.get("recipe") or {}).get("hash") == v.get("against"),
        "valid": valid,
        "test": test,
        "plot": figures.interval_row(marks, scale, grid, 24 if len(marks) == 1 else 34),
        "seeds": c.get("seeds"),
        "seed_sd": words.number(sd, 2) if sd else "",
        "seconds": words.duration(c.get("seconds")),
        "memory": memory(c.get("peak_mb")),
        "cut": c.get("cut"),
        "because": (c.get("recipe") or {}).get("because") or "",
        "method": words.words((c.get("recipe") or {}).get("method", "")),
        "hash": (c.get("recipe") or {}).get("hash", ""),
        "options": (c.get("recipe") or {}).get("options") or {},
        "steps": (c.get("recipe") or {}).get("steps") or 0,
    }


def said(part: str, e: Mapping[str, Any]) -> str:
    """A mark of the ladder in words."""
    limits = f" [{e['low_text']}, {e['high_text']}]" if e["low_text"] else ""
    return f"{part}: {e['metric_name']} {e['value_text']}{limits}"


def memory(mb: float | None) -> str:
    """Megabytes as people say them."""
    return "" if not mb else f"{mb / 1000:.1f} GB" if mb >= 1000 else f"{mb:.0f} MB"


def by_target(shown: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Scores of each target, when there are several."""
    scores = [((c.get("test") or c.get("valid") or {}).get("by_target") or {}, c) for c in shown]
    names = list(dict.fromkeys(name for s, _ in scores for name in s))
    if len(names) < 2:
        return None
    return {"names": names, "rows": [(label_of(c), [words.number(s.get(n)) for n in names]) for s, c in scores if s]}


def small_ladder(report: Mapping[str, Any], wanted: Sequence[Any]) -> dict[str, Any] | None:
    """Floor, comparison and recommended on one axis: the verdict at a glance."""
    named = (report.get("verdict") or {}).get("floor")
    floors = [c for c in report.get("candidates") or () if c.get("family") == "floor"]
    floor = next((c for c in floors if recipe_hash(c) == named), floors[0] if floors else None)
    only = {recipe_hash(c) for c in (*wanted, floor) if c}
    return ladder(report, only) if len(only) > 1 else None
