"""The map, and what the script of the page is given: points, colours and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gnomon.reporting import figures
from gnomon.reporting.pictures import checked


def map_section(exhibits: Mapping[str, Any], keep: float) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The map for the template, and what the script needs: points, colours and pictures."""
    m = exhibits.get("map")
    pictures = list(exhibits.get("pictures") or ())
    scatter = [s for s in exhibits.get("scatter") or () if s.get("pictures")]
    used = [*((m or {}).get("pictures") or ()), *(p for s in scatter for p in s["pictures"])]
    wanted = {int(p): None for p in used[: int(keep * len(used))] if 0 <= int(p) < len(pictures)}
    sent = {str(p): c for p in wanted if (c := checked(pictures[p])) is not None}
    payload = {
        "pictures": sent,
        "scatter": [
            {"p": s["pictures"], "truth": s["truth"], "predicted": s["predicted"]}
            for s in exhibits.get("scatter") or ()
            if s.get("truth")
        ],
    }
    if not m or not m.get("layouts"):
        return None, payload
    colours = [
        {
            **c,
            "key": [
                {"text": str(level), "class": figures.colour(i, c.get("kind", "category"))}
                for i, level in enumerate(c.get("levels") or ())
            ],
        }
        for c in m.get("colours") or ()
    ]
    first = colours[0] if colours else {"codes": [-1] * len(m["layouts"][0]["x"]), "kind": "category"}
    payload["map"] = {
        "layouts": m["layouts"],
        "p": m.get("pictures") or [],
        "labels": m.get("labels"),
        "rows": m.get("rows"),
        "colours": [
            {
                "kind": c.get("kind"),
                "codes": c["codes"],
                "name": c.get("name"),
                "rest": c.get("rest"),
                "levels": c.get("levels"),
            }
            for c in colours
        ],
    }
    shown = len(m["layouts"][0]["x"])
    return {
        "figure": figures.map_figure(m["layouts"][0], first["codes"], first.get("kind", "")),
        "colours": colours,
        "layouts": m["layouts"],
        "shown": shown,
        "of": m.get("of") or shown,
        "drawn": bool(sent),
    }, payload
