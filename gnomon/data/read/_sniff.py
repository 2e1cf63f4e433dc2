"""What a text table is made of: encoding, delimiter, header line, row names, lines to skip; from its first lines."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

from gnomon.errors import InputError

HEAD = 1 << 18  # bytes looked at, unless they hold fewer than LINES lines
LINES, LONGEST = 4, 1 << 28
DELIMITERS = ",\t;|"
csv.field_size_limit(2**31 - 1)  # tried with the wrong mark, a line of 20,000 columns is one long field


@dataclass(frozen=True)
class Layout:
    """How to read a text table: names of the columns, lines before the data, delimiter ("" = runs of blanks)."""

    names: tuple[str, ...]
    skip: int
    delimiter: str
    encoding: str
    quoted: bool
    header: bool


def open_bytes(path: Path) -> IO[bytes]:
    """A file's bytes, unpacked when it is gzip (told from its first bytes, not its name)."""
    import gzip

    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def head(path: Path, size: int = HEAD) -> bytes:
    """The first bytes of a file, unpacked."""
    try:
        with open_bytes(path) as file:
            return file.read(size)
    except (OSError, EOFError) as error:
        raise InputError(
            "E-UNREADABLE", f"{path} cannot be read: {error}", do="check the file, copy it again"
        ) from None


def first_lines(path: Path) -> tuple[bytes, bool]:
    """(the first bytes, a few whole lines at least, however long they are; whether that is all of the file)."""
    size = HEAD
    while True:
        start = head(path, size)
        if len(start) < size or start.count(b"\n") >= LINES or size >= LONGEST:
            return start, len(start) < size
        size *= 4


def encoding_of(path: Path, start: bytes) -> str:
    """utf-8-sig, utf-16 or utf-8; anything else is refused, naming the line and byte (guesses would spoil names)."""
    if start[:3] == b"\xef\xbb\xbf":
        return "utf-8-sig"
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if b"\x00" in start[:4096]:
        raise InputError(
            "E-UNREADABLE",
            f"{path} looks like a binary file, not a table of text",
            do="give a csv, tsv, parquet, xlsx, feather or jsonl file; or rename it to its true extension",
        )
    return "utf-8"


def bad_encoding(path: Path) -> InputError:
    """The error for a file that is not UTF-8: the first line at fault and the likely true encoding."""
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                column = line[: error.start].count(b",") + 1
                return InputError(
                    "E-ENCODING",
                    f"{path} is not UTF-8: line {number}, about field {column}, holds byte "
                    f"0x{line[error.start]:02x} (likely Windows-1252 or Latin-1)",
                    do=f"iconv -f WINDOWS-1252 -t UTF-8 '{path}' > fixed.csv, or save as 'CSV UTF-8' in a spreadsheet",
                )
    return InputError("E-ENCODING", f"{path} is not UTF-8", do="save it as UTF-8")


def sniff(path: Path) -> Layout:
    """The layout of a text table."""
    start, whole = first_lines(path)
    if not start.strip():
        raise InputError(
            "E-FILE-EMPTY", f"{path} is empty (0 rows, 0 columns)", do="give a file with a header line and rows"
        )
    encoding = encoding_of(path, start)
    cut = start if whole else start[: start.rfind(b"\n") + 1] or start
    try:
        text = cut.decode(encoding)
    except UnicodeDecodeError:
        raise bad_encoding(path) from None
    skip = 0
    lines = text.splitlines(keepends=True)
    while skip < len(lines) - 1 and (lines[skip].startswith("#") or not lines[skip].strip()):
        skip += 1
    body = "".join(lines[skip:])
    delimiter = _delimiter(path, body)
    rows = [r for r in _rows(body, delimiter)[:200] if r]
    return _named(path, rows, skip, delimiter, encoding, '"' in body)


def _rows(body: str, delimiter: str) -> list[list[str]]:
    if not delimiter:
        return [line.split() for line in body.splitlines() if line.strip()]
    return list(csv.reader(io.StringIO(body), delimiter=delimiter))


def _delimiter(path: Path, body: str) -> str:
    """The mark that splits the most lines into the same number (above 1) of fields; "" for runs of blanks."""
    best, best_score = "", 0.0
    for mark in DELIMITERS:
        counts = [len(r) for r in _rows("".join(body.splitlines(keepends=True)[:100]), mark) if r]
        if not counts or counts[0] < 2:
            continue
        same = sum(1 for c in counts if c in (counts[0], counts[0] + 1)) / len(counts)
        score = same + 0.001 * min(counts[0], 100) + (0.01 if mark == "," else 0)
        if same > 0.5 and score > best_score:
            best, best_score = mark, score
    if best:
        return best
    suffixes = [s.lower() for s in path.suffixes]
    if ".tsv" in suffixes:
        return "\t"
    blanks = [len(line.split()) for line in body.splitlines()[:100] if line.strip()]
    if ".csv" not in suffixes and blanks and blanks[0] > 1 and len(set(blanks)) == 1:
        return ""
    return ","


def _named(path: Path, rows: list[list[str]], skip: int, delimiter: str, encoding: str, quoted: bool) -> Layout:
    first, rest = rows[0], rows[1:]
    header = _is_header(first, rest)
    names = [c.strip() for c in first] if header else [f"column {i + 1}" for i in range(len(first))]
    if header and rest and all(len(r) == len(first) + 1 for r in rest):
        names = ["row name", *names]  # as R writes tables: no name above the row names
    if header and len(names) > 1 and names[-1] == "" and all(len(r) == len(names) and r[-1] == "" for r in rest):
        names[-1] = "(nothing)"  # a delimiter at the end of every line
    blank = 0
    for i, name in enumerate(names):
        if name == "":
            blank += 1
            names[i] = f"Unnamed: {i}"
    check_duplicates(names, path)
    return Layout(tuple(names), skip + int(header), delimiter, encoding, quoted, header)


def check_duplicates(names: list[str], path: object) -> None:
    """Two columns of one name are refused: which one is meant cannot be told."""
    seen: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in seen:
            raise InputError(
                "E-COLUMN-DUPLICATE",
                f"{path}: columns {seen[name] + 1} and {i + 1} are both called '{name}'",
                do="give every column a name of its own in the header line",
            )
        seen[name] = i


def _is_number(text: str) -> bool:
    from gnomon.data.read._numbers import NUMBER

    return bool(NUMBER.match(text.strip())) and text.strip()[-1:].isdigit()


def _is_header(first: list[str], rest: list[list[str]]) -> bool:
    """No header when the first line holds numbers where numbers follow, or only words that come again below."""
    numeric = [i for i, c in enumerate(first) if _is_number(c)]
    if not rest:
        return len(numeric) < len(first)
    if not numeric:
        below = [{r[i] for r in rest if len(r) == len(first)} for i in range(len(first))]
        return not (len(rest) >= 5 and all(c in b for c, b in zip(first, below, strict=True)))
    if len(numeric) >= 5:
        steps = [float(first[i].replace(",", ".")) for i in numeric if first[i].count(".") < 2]
        if all(a < b for a, b in pairwise(steps)) and len(steps) == len(numeric):
            return True  # wavelengths or times as column names
    data = sum(1 for i in numeric if all(_is_number(r[i]) or not r[i].strip() for r in rest[:20] if len(r) > i))
    return data < max(1, 0.5 * len(numeric))
