"""The refusal of a study that has nothing yet of what a command needs, with what helps: more time, or another study."""

from __future__ import annotations

from gnomon.errors import InputError
from gnomon.workflow._folder import Folder, read_json


def unfinished(folder: Folder, lacks: str) -> InputError:
    """E-STUDY-UNFINISHED. lacks: "no verdict", "no model". Running an exploratory study again would never help."""
    if (read_json(folder / "report.json") or {}).get("exploratory"):
        return InputError("E-STUDY-UNFINISHED", f"{folder.path} is exploratory: it trained nothing and has {lacks}",
                          do="study the data again without --explore")
    return InputError("E-STUDY-UNFINISHED", f"{folder.path} has {lacks} yet", do=f"gnomon run {folder.path}")
