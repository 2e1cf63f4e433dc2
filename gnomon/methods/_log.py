"""What a run leaves to be read: log.csv for people and programs, and the same as TensorBoard events."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "log.csv"
EVERY_SECONDS = 1.0


class Log:
    """One line a reading: step, seconds since the start, then named numbers. New names widen the table.

    Lines are written about once a second, so that a fast loop does not wait for the disk.
    """

    def __init__(self, folder: Path | None):
        self.folder = None if folder is None else Path(folder)
        self.started = time.monotonic()
        self.columns: list[str] = []
        self.events: Any = None
        self.waiting: list[tuple[float, int, dict[str, float]]] = []
        self.flushed = -EVERY_SECONDS

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Note a line; every second what was noted goes to the file, and to TensorBoard."""
        if self.folder is None:
            return
        now = time.monotonic()
        self.waiting.append((now, step, dict(values)))
        if now - self.flushed >= EVERY_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if self.folder is None or not self.waiting:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = [{"step": step, "seconds": round(now - self.started, 3), **{n: f"{v:.6g}" for n, v in values.items()}}
                for now, step, values in self.waiting]
        new = [name for name in dict.fromkeys(n for row in rows for n in row) if name not in self.columns]
        if new:
            before = read_log(self.folder) if self.columns else []
            self.columns += new
            self._rewrite(before)
        with (self.folder / FILE).open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns).writerows(rows)
        self._to_tensorboard()
        self.waiting, self.flushed = [], time.monotonic()

    def rewind(self, step: int) -> None:
        """Forget lines after `step`: the run goes on from there."""
        if self.folder is None:
            return
        self.waiting = []
        rows = [row for row in read_log(self.folder) if row["step"] <= step] if step else []
        self.columns = list(dict.fromkeys(name for row in rows for name in row))
        if rows:
            self.started = time.monotonic() - rows[-1]["seconds"]
            self._rewrite(rows)
        else:
            (self.folder / FILE).unlink(missing_ok=True)
            for old in self.folder.glob("events.out.tfevents.*"):
                old.unlink()

    def close(self) -> None:
        self.flush()
        if self.events is not None:
            self.events.close()
            self.events = None

    def _rewrite(self, rows: list[dict[str, float]]) -> None:
        with (self.folder / FILE).open("w", newline="", encoding="utf-8") as file:  # type: ignore[operator]
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(rows)

    def _to_tensorboard(self) -> None:
        """By TensorBoard's own record format, where it is installed; here and now, not in a thread whose failure is lost."""
        try:
            from tensorboard.compat.proto.event_pb2 import Event
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError:
            return
        late = time.time() - time.monotonic()
        if self.events is None:
            name = f"events.out.tfevents.{time.time_ns()}.gnomon"  # TensorBoard's own names tell the computer's
            self.events = RecordWriter((self.folder / name).open("wb"))  # type: ignore[operator]
            self.events.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
        for now, step, values in self.waiting:
            scalars = [Summary.Value(tag=n.replace(".", "/"), simple_value=float(v)) for n, v in values.items()]
            event = Event(wall_time=now + late, step=step, summary=Summary(value=scalars))
            self.events.write(event.SerializeToString())
        self.events.flush()


def read_log(folder: Path) -> list[dict[str, float]]:
    """The lines of log.csv as numbers, without the empty cells; a torn last line is left out."""
    path = Path(folder) / FILE
    if not path.exists():
        return []
    rows = []
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            try:
                rows.append({name: float(text) for name, text in line.items() if text not in (None, "")})
            except (TypeError, ValueError):
                continue
    return [row for row in rows if "step" in row and "seconds" in row]
