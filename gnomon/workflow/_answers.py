"""Explanations that were asked for by name, kept in the study folder: explained/TECHNIQUE_PIECES.json, one an explanation.

    {"format": 1, "asked": the command, "estimate": what was said first, "seconds": what it took, "rows": [named],
     "entry": as in report.json, "exhibits": {"pictures", "explained"} as in exhibits.json, "hidden": why nothing is drawn}

The page reads them ("Explanations you asked for") and draws each picture into a file of its own beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gnomon.data.table import Data
from gnomon.values import plain
from gnomon.workflow._folder import Folder, write_json
from gnomon.workflow._gallery import Gallery
from gnomon.workflow.exhibits import explained_exhibit

ROOM = 1_000_000  # bytes of pictures an explanation
PLACE = "explained"


def keep_answers(folder: Folder, told: Any, data: Data, *, about: Mapping[str, Any], named: Sequence[int], examples: bool,
                 show_rows: bool) -> list[str]:
    """Write every explanation of `told` (an Explained); the names of the files, relative to the folder.

    named: rows asked for by number (0-based, as read): only these are drawn; none: the examples. examples, show_rows:
    what the study may show of single rows (free text only with show_rows).
    """
    (folder.path / PLACE).mkdir(exist_ok=True)
    written = []
    for entry in told.explanations:
        mine = [p for p in told.pictures if p["technique"] == entry["technique"] and _alike(p, entry)
                and (not named or int(p["row"]) in named)]
        gallery = Gallery(data, examples, show_rows, ROOM)
        shown = explained_exhibit(gallery, mine, data, beside=True)
        name = f"{entry['technique']}_{str(entry.get('pieces', 'columns')).replace(', ', '_')}.json"
        write_json(folder.path / PLACE / name, plain({
            "format": 1, **about, "rows": list(named), "entry": entry,
            "exhibits": {"pictures": gallery.pictures, "explained": shown}, "hidden": _hidden(mine, shown, show_rows)}))
        written.append(f"{PLACE}/{name}")
    return written


def keep_entries(folder: Folder, entries: Sequence[Mapping[str, Any]], *, about: Mapping[str, Any]) -> list[str]:
    """Write entries that draw no rows (layers compared); the names of the files, relative to the folder."""
    written = []
    for entry in entries:
        name = f"{entry['technique']}_{entry['pieces']}.json"
        whole = {"format": 1, **about, "rows": [], "entry": entry, "exhibits": {}, "hidden": ""}
        write_json(folder / PLACE / name, plain(whole))
        written.append(f"{PLACE}/{name}")
    return written


PIECES = {"patches": "image", "positions": "sequence", "words": "text", "atoms": "molecule"}


def _alike(picture: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether a picture is of this explanation and not of the same technique's on other pieces."""
    return picture["kind"] in {PIECES.get(p) for p in str(entry.get("pieces", "")).split(", ")}


def _hidden(mine: Sequence[Any], shown: Sequence[Any], show_rows: bool) -> str:
    if not mine or shown:
        return ""
    why = "free text is shown" if any(p["kind"] == "text" for p in mine) and not show_rows else "examples are shown"
    return f"Rows are not drawn: {why} only on demand; add --show-rows to the command."
