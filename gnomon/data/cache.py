"""Pictures decoded once: into memory when they fit, else into a memory-mapped file that is reused; never all at a time.

Sizes are read from the headers first, so the array is laid out before the first pixel is decoded; threads then fill it
(decoders release Python's lock). The stamp is a hash of the decoded pixels, not of paths or dates.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data._picture_file import Header, item, item_header
from gnomon.data.table import Dense, Mapped, Spec
from gnomon.errors import InputError

IN_MEMORY = 1_000_000_000  # bytes of decoded pixels up to which they are held in memory
LARGEST_SIDE = 256  # pictures of unequal size are brought to a common one, its longer side at most this


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures: the column, why it has this form, the broken ones (index -> why), and each file's header."""

    column: Any
    because: str
    resized: bool
    bad: dict[int, str] = field(default_factory=dict)
    headers: tuple[Header | None, ...] = ()


def decode(
    items: Sequence[tuple[Path, ...]], *, cache: Path | None = None, shape: tuple[int, int, int] | None = None
) -> Pictures:
    """Pictures as one column (n, C, H, W); an item of several files has their channels end to end.

    shape: (C, H, W) to bring every picture to (as at training); None = from the files.
    """
    from concurrent.futures import ThreadPoolExecutor

    bad: dict[int, str] = {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        headers = list(pool.map(item_header, items))
        for i, header in enumerate(headers):
            if isinstance(header, str):
                bad[i] = header
        good = [h for h in headers if isinstance(h, Header)]
        if not good:
            empty = Dense(np.zeros((len(items), 1, 1, 1), np.uint8), Spec("image", (1, 1, 1), detail="uint8"))
            return Pictures(empty, "no file can be read", False, bad)
        layout, dtype, because, resized = _layout(good, shape)
        column = _fill(items, headers, layout, dtype, bad, cache, pool.map)
    return Pictures(column, because, resized, bad, tuple(h if isinstance(h, Header) else None for h in headers))


def _layout(good: list[Header], shape: tuple[int, int, int] | None) -> tuple[tuple[int, int, int], str, str, bool]:
    """The common (C, H, W) and dtype, said in words, and whether any picture must be resized."""
    channels = Counter(h.channels for h in good)
    common = channels.most_common(1)[0][0]
    if set(channels) <= {1, 3}:
        common = max(channels)
    dtypes = {h.dtype for h in good}
    dtype = "float32" if "float32" in dtypes else "uint16" if "uint16" in dtypes else "uint8"
    sizes = Counter((h.height, h.width) for h in good)
    if shape is not None:
        layout = shape
    elif len(sizes) == 1:
        layout = (common, *next(iter(sizes)))
    else:
        height, width = np.median([h.height for h in good]), np.median([h.width for h in good])
        scale = min(1.0, LARGEST_SIDE / max(height, width))
        layout = (common, max(1, round(height * scale)), max(1, round(width * scale)))
    resized = set(sizes) != {layout[1:]}
    text = f"{layout[0]} channel{'s' if layout[0] > 1 else ''}, {layout[1]} x {layout[2]} pixels, {dtype}"
    if resized:
        text += f"; the files have {len(sizes)} size{'s' if len(sizes) > 1 else ''} and were resized to this one"
    return layout, dtype, text, resized


def _fill(
    items: Sequence[tuple[Path, ...]],
    headers: Sequence[Any],
    layout: tuple[int, int, int],
    dtype: str,
    bad: dict[int, str],
    cache: Path | None,
    run: Callable,
) -> Any:
    spec = Spec("image", layout, detail=dtype)
    size = len(items) * int(np.prod(layout)) * np.dtype(dtype).itemsize
    if size <= IN_MEMORY:
        pixels = np.zeros((len(items), *layout), dtype)
        _pour(items, pixels, bad, run)
        return Dense(pixels, spec)
    folder = Path(cache) if cache else Path(tempfile.gettempdir()) / f"gnomon-cache-{os.getuid()}"
    path = folder / f"images-{_key(items, layout, dtype)}.npy"
    note = path.with_suffix(".json")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (path.exists() and note.exists()):
            _write(items, layout, dtype, path, note, bad, run)
    except OSError as error:
        raise InputError(
            "E-CACHE",
            f"the decoded pictures ({size / 1e9:.1f} GB) cannot be kept in {folder}: {error}",
            do="free disk space there, or choose another folder for the study with --out",
        ) from None
    told = json.loads(note.read_text())
    bad.update({int(i): why for i, why in told["bad"].items()})
    return Mapped(_Rows(path), len(items), spec, told["stamp"])


def _write(
    items: Sequence[tuple[Path, ...]],
    layout: tuple[int, int, int],
    dtype: str,
    path: Path,
    note: Path,
    bad: dict[int, str],
    run: Callable,
) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        pixels = np.lib.format.open_memmap(part, "w+", np.dtype(dtype), (len(items), *layout))
        stamps = _pour(items, pixels, bad, run)
        pixels.flush()
        del pixels
        note.write_text(
            json.dumps(
                {
                    "stamp": hashlib.sha256(b"".join(stamps)).hexdigest()[:16],
                    "bad": {str(i): why for i, why in bad.items()},
                }
            )
        )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class _Rows:
    """Rows out of a memory-mapped file; opened anew in every process that asks."""

    def __init__(self, path: Path):
        self.path, self.pixels = path, None

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        if self.pixels is None:
            self.pixels = np.load(self.path, mmap_mode="r")
        return np.ascontiguousarray(self.pixels[rows])

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "pixels": None}


def _pour(items: Sequence[tuple[Path, ...]], pixels: np.ndarray, bad: dict[int, str], run: Callable) -> list[bytes]:
    """Decode every item into its place; the broken stay zero and are noted. Returns a digest an item."""

    def one(i: int) -> bytes:
        if i in bad:
            return b"bad"
        try:
            picture = item(items[i], pixels.shape[1:], pixels.dtype)
        except Exception as error:  # decoders raise many kinds for broken files; each means the same here
            bad[i] = f"cannot be decoded ({type(error).__name__})"
            return b"bad"
        pixels[i] = picture
        return hashlib.blake2b(np.ascontiguousarray(picture).data, digest_size=8).digest()

    stamps: list[bytes] = []
    for start in range(0, len(items), 4096):  # a window at a time: 100,000 pictures are never queued at once
        stamps += run(one, range(start, min(start + 4096, len(items))))
    return stamps


def _key(items: Sequence[tuple[Path, ...]], layout: tuple[int, int, int], dtype: str) -> str:
    digest = hashlib.sha256(repr((layout, dtype)).encode())
    for files in items:
        for path in files:
            state = path.stat()
            digest.update(f"{path.name}|{state.st_size}|{state.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]
