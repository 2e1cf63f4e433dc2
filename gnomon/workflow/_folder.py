"""The study folder: plain files a person can open, written atomically, locked by one process at a time."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.errors import InputError
from gnomon.values import plain

FORMAT = 1


def write_text(path: Path, text: str) -> None:
    """Write all or nothing: a killed process never leaves half a file. A full disk is named as such."""
    name = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError as error:
        if name:
            Path(name).unlink(missing_ok=True)
        raise cannot_write(path, error) from None


def is_disk_full(error: BaseException) -> bool:
    """Whether the disk or a quota is full; libraries that write for us hide the number, but not the words."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)


def cannot_write(path: Path, error: Exception) -> InputError:
    """The error for a disk that is full or a folder that may not be written."""
    if is_disk_full(error):
        return InputError("E-DISK-FULL", f"no space left on the disk of {path}",
                          do="free some space (`gnomon clean STUDY` removes checkpoints), then type the command again")
    return InputError("E-OUT-UNWRITABLE", f"{path} cannot be written: {getattr(error, 'strerror', None) or error}",
                      do="choose another folder with --out")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(plain(value), indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path, default: Any = None) -> Any:
    """The value in a JSON file; `default` when it is absent; a clear error when it was edited into nonsense."""
    if not path.exists():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError("E-STUDY-FILE", f"{path} is not valid JSON: {error}",
                         do="undo the edit, or delete the file to have it made again") from None


@dataclass(frozen=True)
class Folder:
    """Where a study lives. All paths inside are relative, so the folder can be moved."""

    path: Path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def open(self) -> Folder:
        """Make the folder if need be; refuse one that a newer gnomon wrote, or one that is something else."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error) from None
        if not os.access(self.path, os.W_OK):
            raise InputError("E-OUT-UNWRITABLE", f"{self.path} cannot be written", do="choose another folder with --out")
        self.check()
        return self

    def check(self) -> None:
        """Refuse what cannot be read as a study of this format."""
        made = read_json(self / "versions.json")
        foreign = made is None and self.path.is_dir() and any(
            p.name not in {".busy", "ledger.jsonl", "data.json"} and not p.name.startswith(".") for p in self.path.iterdir())
        if foreign:
            raise InputError("E-STUDY-FOREIGN", f"{self.path} holds other files and is no study",
                             do="name a new or empty folder with --out")
        if made is not None and (not isinstance(made, dict) or not isinstance(made.get("format"), int)):
            raise InputError("E-STUDY-FILE", f"{self / 'versions.json'} does not state a format",
                             do="restore the file, or name a new folder with --out")
        if made is not None and made["format"] > FORMAT:
            raise InputError("E-STUDY-NEWER", f"{self.path} was written by a newer gnomon (format {made['format']}, "
                             f"this one reads up to {FORMAT})", do="upgrade gnomon, or name a new folder with --out")

    def must_exist(self) -> Folder:
        """For commands that read a finished study."""
        if not (self / "versions.json").exists():
            raise InputError("E-STUDY-ABSENT", f"{self.path} is not a study folder",
                             do="give the folder that `gnomon study` wrote, e.g. NAME.study")
        self.check()
        return self

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Hold the study for this process. The lock dies with the process, also after kill -9."""
        import fcntl

        with open(self / ".busy", "a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                raise InputError("E-STUDY-BUSY", f"{self.path} is in use by another gnomon process "
                                 f"({file.read().strip() or 'unknown'})",
                                 do="wait for it to end, or name another folder with --out") from None
            file.seek(0)
            file.truncate()
            file.write(f"process {os.getpid()}")
            file.flush()
            yield


def relative(path: Path, base: Path) -> str:
    """`path` as seen from `base` in POSIX form, so that a moved study still points right."""
    return Path(os.path.relpath(path, base)).as_posix()
