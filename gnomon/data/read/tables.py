"""Tables on disk: csv, tsv and other delimited text, parquet and feather.

Text is read as text, column by column, and typed afterwards by `infer`, so codes with leading zeros, bounds such as
`>10` and decimal commas survive. What is larger than memory allows is streamed and a seeded uniform sample is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.read._raw import MISSING, Raw, strings
from gnomon.data.read._sniff import Layout, bad_encoding, open_bytes, sniff
from gnomon.data.read.frames import from_frame
from gnomon.errors import InputError
from gnomon.rng import stream
from gnomon.values import finding

LARGE = 1_500_000_000  # bytes of unpacked text above which a table is sampled
KEEP_BYTES = 300_000_000  # bytes of text such a sample may hold


def read_delimited(path: Path, *, seed: int = 0, max_rows: int | None = None) -> Raw:
    """A csv, tsv or other delimited text file, gzip or not."""
    layout = sniff(path)
    found = (
        ()
        if layout.header
        else (
            finding(
                "LOOK-KIND",
                "note",
                f"{path.name} has no header line; columns are called column 1, column 2 ...",
                source="reading",
            ),
        )
    )
    if layout.delimiter == "" or layout.encoding == "utf-16":
        return _with(_slow(path, layout), path, found)
    size = path.stat().st_size * (4 if head_is_gzip(path) else 1)
    if size > LARGE or max_rows is not None:
        table, position, total = _sampled(path, layout, size, seed, max_rows)
        sampled = (
            ""
            if len(position) == total
            else (f"a uniform random sample of {len(position):,} of the {total:,} rows of {path.name} (seed {seed})")
        )
    else:
        table, sampled = _read(path, layout), ""
        _closed(path, layout, table)
        position = np.arange(table.num_rows)
    columns = {name: table.column(i) for i, name in enumerate(layout.names) if name != "(nothing)"}
    return _with(Raw(columns, position, (str(path),), sampled=sampled), path, found)


def _with(raw: Raw, path: Path, found: tuple) -> Raw:
    from dataclasses import replace

    if len(raw) == 0:
        raise InputError(
            "E-FILE-EMPTY", f"{path} has a header line but no rows", do="give a file with at least a few rows"
        )
    return replace(raw, findings=found)


def head_is_gzip(path: Path) -> bool:
    """Whether the file's first bytes are those of gzip."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _options(layout: Layout, skipped: list, block: int):
    import pyarrow as pa
    import pyarrow.csv as pc

    def ragged(row: Any) -> str:
        skipped.append(row)
        return "error"

    read = pc.ReadOptions(column_names=list(layout.names), skip_rows=layout.skip, block_size=block, use_threads=True)
    parse = pc.ParseOptions(delimiter=layout.delimiter, newlines_in_values=layout.quoted, invalid_row_handler=ragged)
    convert = pc.ConvertOptions(
        column_types=dict.fromkeys(layout.names, pa.string()),
        null_values=list(MISSING),
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    return read, parse, convert


def _read(path: Path, layout: Layout) -> Any:
    import pyarrow as pa
    import pyarrow.csv as pc

    skipped: list = []
    wide = len(layout.names) > 500  # few, large blocks: a block a few rows high costs more than its parsing
    read, parse, convert = _options(layout, skipped, 1 << 28 if wide else 1 << 22)
    try:
        with open_bytes(path) as file:
            return pc.read_csv(file, read, parse, convert)
    except pa.ArrowInvalid as error:
        raise _explained(path, layout, str(error), bool(skipped)) from None
    except (OSError, EOFError) as error:
        raise InputError(
            "E-UNREADABLE", f"{path} cannot be read to its end: {error}", do="copy the file again"
        ) from None


def _closed(path: Path, layout: Layout, table: Any) -> None:
    """A quotation mark that is never closed swallows the rest of the file into one value: refused, naming its row."""
    if not layout.quoted or not table.num_rows:
        return
    last = [str(v[0].as_py() or "") for v in table.slice(table.num_rows - 1).columns]
    if not any("\n" in v for v in last):
        return
    with open_bytes(path) as file:
        marks = sum(block.count(b'"') for block in iter(lambda: file.read(1 << 24), b""))
    if marks % 2:
        raise InputError(
            "E-QUOTE",
            f"{path}: the quotation mark opened in row {table.num_rows - 1} is never closed and swallows what follows",
            do="close the quotation mark in that row, or double it if it belongs to the text",
        )


def _explained(path: Path, layout: Layout, message: str, ragged: bool) -> InputError:
    """Which row is at fault, and how."""
    if "UTF8" in message or "UTF-8" in message or "utf-8" in message:
        return bad_encoding(path)
    if ragged or "Expected" in message:
        return _ragged(path, layout)
    return InputError("E-UNREADABLE", f"{path} cannot be read as a table: {message}", do="check the file in an editor")


def _ragged(path: Path, layout: Layout) -> InputError:
    import csv
    import io

    want = len(layout.names)
    with open_bytes(path) as file, io.TextIOWrapper(file, layout.encoding, "replace", newline="") as text:
        lines = csv.reader(text, delimiter=layout.delimiter)
        row = -layout.skip
        for fields in lines:
            if not fields:
                continue
            if row >= 0 and len(fields) != want:
                return InputError(
                    "E-RAGGED",
                    f"{path}: row {row} (line {lines.line_num}) has {len(fields)} fields where the header has "
                    f"{want}; it starts with '{fields[0][:20]}' (columns: {', '.join(layout.names[:3])} ...)",
                    do="quote values that contain the delimiter "
                    f"({'tab' if layout.delimiter == chr(9) else layout.delimiter!r}), or repair that line",
                )
            row += 1
    return InputError("E-RAGGED", f"{path}: rows differ in their number of fields", do="repair the file")


def _slow(path: Path, layout: Layout) -> Raw:
    """Columns parted by runs of blanks, and UTF-16: by pandas, all in memory."""
    import pandas as pd

    try:
        with open_bytes(path) as file:
            frame = pd.read_csv(
                file,
                sep=layout.delimiter or r"\s+",
                names=list(layout.names),
                skiprows=layout.skip,
                dtype=str,
                keep_default_na=False,
                encoding=layout.encoding,
            )
    except UnicodeDecodeError:
        raise bad_encoding(path) from None
    except pd.errors.ParserError as error:
        raise InputError("E-RAGGED", f"{path}: {error}", do="repair that line") from None
    columns = {name: strings(frame[name].tolist()) for name in layout.names}
    return Raw(columns, np.arange(len(frame)), (str(path),))


def _sampled(path: Path, layout: Layout, size: int, seed: int, max_rows: int | None) -> tuple[Any, np.ndarray, int]:
    """A uniform sample while streaming: every row draws a random key, the rows with the smallest keys are kept."""
    import pyarrow as pa
    import pyarrow.csv as pc

    skipped: list = []
    block = 1 << 24
    try:
        with open_bytes(path) as file:
            batches = pc.open_csv(file, *_options(layout, skipped, block))
            return smallest_keys(iter(batches), seed, max_rows, size)
    except pa.ArrowInvalid as error:
        raise _explained(path, layout, str(error), bool(skipped)) from None


def smallest_keys(batches: Iterator[Any], seed: int, max_rows: int | None, size: int) -> tuple[Any, np.ndarray, int]:
    """(table, positions, rows seen): a uniform sample of at most `max_rows`, or KEEP_BYTES when large.

    Every row draws a key; the rows with the smallest keys stay. A row whose key is above the largest that can still
    stay is let go at once, so memory holds little more than the sample.
    """
    import pyarrow as pa

    draw = stream(seed, "sample rows")
    kept: list[Any] = []
    keys, places, total, most, limit = np.empty(0), np.empty(0, np.int64), 0, max_rows or 1, 1.0
    for batch in batches:
        if total == 0 and batch.num_rows:
            fits = int(KEEP_BYTES * batch.num_rows / max(batch.nbytes, 1)) if size > LARGE else 1 << 60
            most = max(1, min(max_rows or fits, fits))
        drawn = draw.random(batch.num_rows)
        chosen = np.flatnonzero(drawn < limit)
        whole = len(chosen) == batch.num_rows
        kept.append(pa.Table.from_batches([batch if whole else batch.take(pa.array(chosen))]))
        keys, places = np.append(keys, drawn[chosen]), np.append(places, total + chosen)
        total += batch.num_rows
        if len(keys) > 1.5 * most:
            keys, places, kept = _prune(keys, places, kept, most)
            limit = keys.max()
    if total == 0:
        raise InputError("E-FILE-EMPTY", "the file has a header but no rows", do="give a file with at least a few rows")
    keys, places, kept = _prune(keys, places, kept, most)
    return pa.concat_tables(kept), places, total


def _prune(
    keys: np.ndarray, places: np.ndarray, kept: list[Any], most: int
) -> tuple[np.ndarray, np.ndarray, list[Any]]:
    """The `most` rows with the smallest keys, in their order; table by table, so that no second copy of all is made."""
    import pyarrow as pa

    if len(keys) <= most:
        return keys, places, kept
    best = np.sort(np.argpartition(keys, most)[:most])
    ends = np.cumsum([len(t) for t in kept])
    out = []
    while kept:
        table = kept.pop(0)
        start = ends[len(ends) - len(kept) - 1] - len(table)
        mine = best[(best >= start) & (best < start + len(table))] - start
        out.append(table.take(pa.array(mine)))
    return keys[best], places[best], out


def read_arrow(path: Path, *, seed: int = 0, max_rows: int | None = None) -> Raw:
    """Parquet or feather, told apart by their first bytes."""
    import pyarrow as pa

    try:
        return _arrow(path, seed, max_rows)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            "E-UNREADABLE",
            f"{path} cannot be read as parquet or feather: {error}",
            do="write it again, e.g. DataFrame.to_parquet",
        ) from None


def _arrow(path: Path, seed: int, max_rows: int | None) -> Raw:
    import pyarrow.feather as feather
    import pyarrow.parquet as parquet

    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if not is_parquet:
        return from_frame(feather.read_feather(path), path, max_rows=max_rows, seed=seed)
    file = parquet.ParquetFile(path)
    group_bytes = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
    if group_bytes <= LARGE and (max_rows is None or file.metadata.num_rows <= max_rows):
        return from_frame(file.read().to_pandas(), path)
    table, position, total = smallest_keys(file.iter_batches(batch_size=50_000), seed, max_rows, group_bytes)
    raw = from_frame(table.to_pandas(), path)
    from dataclasses import replace

    return replace(
        raw,
        position=position,
        sampled=f"a uniform random sample of {len(position):,} of the {total:,} rows of {path.name} (seed {seed})",
    )
