"""What happened, line by line, and how often the sealed part was opened. Append-only; a torn last line is ignored."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.values import plain
from gnomon.workflow._folder import cannot_write


def state_folder() -> Path:
    """Where the per-user record lies: GNOMON_STATE, else the user's state folder."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(os.environ.get("GNOMON_STATE") or Path(home) / "gnomon")


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """One JSON line at the end, on disk before we go on; starts a fresh line after a torn one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab+") as file:
            torn = file.tell() > 0 and _last_byte(file) != b"\n"
            file.write((b"\n" if torn else b"") + json.dumps(plain(entry), ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise cannot_write(path, error) from None


def _last_byte(file: Any) -> bytes:
    file.seek(-1, os.SEEK_END)
    last = file.read(1)
    file.seek(0, os.SEEK_END)
    return last


def entries(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a ledger."""
    found = []
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue  # torn by a kill: the work it stood for is done again
    return [entry for entry in found if isinstance(entry, dict)]


@dataclass(frozen=True)
class Ledger:
    """The ledger of one study."""

    path: Path

    def note(self, event: str, **facts: Any) -> None:
        append(self.path, {"event": event, "at": round(time.time(), 3), **facts})

    def begin(self, key: str) -> None:
        """From here on the study is of other data, labels, columns or another split: of what was paid only the look counts."""
        last = next((e for e in reversed(entries(self.path)) if e.get("event") == "changed"), {})
        if last.get("key") == key:
            return
        looked = [e["seconds"] for e in self.lines() if e.get("name") == "look"]
        self.note("changed", key=key)
        for seconds in looked:
            self.note("stage", name="look", seconds=seconds)

    def lines(self) -> list[dict[str, Any]]:
        """What happened since the data, labels, columns or split last changed."""
        every = entries(self.path)
        return every[max((i for i, e in enumerate(every) if e.get("event") == "changed"), default=0):]

    def spent(self) -> float:
        """Seconds of finished work on the study as it stands; what a kill interrupted is not counted, so that resuming
        changes nothing."""
        return float(sum(e.get("seconds", 0.0) for e in self.lines()))

    def openings(self) -> list[dict[str, Any]]:
        return [e for e in entries(self.path) if e.get("event") == "opened"]


def record_opening(ledger: Ledger, data_hash: str, split_key: str, recipes: tuple[str, ...], trained_on: str = "",
                   made: str = "") -> int:
    """Log that the sealed part is opened for these recipes; returns how many *different* openings this user has made
    of this data's sealed rows. Opening again for the same predictors (a resumed run) is the same opening.

    trained_on: key of the training rows, where the sealed rows are another source and `data_hash` is theirs alone.
    made: key of what else makes the predictors of these recipes: the seed, the folds and seeds that they average.
    """
    entry = {"data": data_hash, "split": split_key, "recipes": sorted(recipes)}
    entry |= {k: v for k, v in (("trained_on", trained_on), ("made", made)) if v}
    user = state_folder() / "openings.jsonl"
    past = entries(user)
    if not any(_same(e, entry) for e in past):
        append(user, entry)
        past.append(entry)
    if not any(_same(e, entry) for e in ledger.openings()):
        ledger.note("opened", **entry)
    return sum(e.get("data") == data_hash and e.get("split") == split_key for e in past)


def _same(past: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether an entry of the record is of this opening; one from before `made` was kept is taken for any of its recipes."""
    return all(past.get(k) == v or (k == "made" and k not in past) for k, v in entry.items())
