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

from gnomon.data.table import Dense, Mapped, Spec
from gnomon.errors import InputError

IN_MEMORY = 1_000_000_000  # bytes of decoded pixels up to which they are held in memory
LARGEST_SIDE = 256  # pictures of unequal size are brought to a common one, its longer side at most this
MOST_CHANNELS = 64
TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


@dataclass(frozen=True)
class Header:
    """What a picture's file says of itself, before decoding."""

    height: int
    width: int
    channels: int
    dtype: str
    mode: str
    pages: int = 1


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
        headers = list(pool.map(_item_header, items))
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
            picture = _item(items[i], pixels.shape[1:], pixels.dtype)
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


def _item_header(files: tuple[Path, ...]) -> Header | str:
    """The header of an item (its files must agree in size), or why it is broken."""
    try:
        found = [header(path) for path in files]
    except Exception as error:  # as above
        return f"cannot be opened ({type(error).__name__})"
    if len({(h.height, h.width) for h in found}) > 1:
        return "its channel files differ in size"
    channels = sum(h.channels for h in found)
    if channels > MOST_CHANNELS:
        return f"has {channels} channels or pages: a volume, not a picture"
    first = found[0]
    return Header(first.height, first.width, channels, first.dtype, first.mode)


def header(path: Path) -> Header:
    """Size, channels and pixel type of one picture file, without decoding it."""
    with path.open("rb") as file:
        is_tiff = file.read(4) in TIFF
    if is_tiff:
        return _tiff_header(path)
    from PIL import Image

    with Image.open(path) as picture:
        wide = picture.mode.startswith("I")
        dtype = "float32" if picture.mode == "F" else "uint16" if wide else "uint8"
        return Header(picture.height, picture.width, _channels(picture), dtype, picture.mode)


def _channels(picture: Any) -> int:
    if picture.mode in ("1", "L", "LA", "I", "F") or picture.mode.startswith("I;16"):
        return 1
    return 3


def _tiff_header(path: Path) -> Header:
    import tifffile

    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        axes, shape = series.axes, series.shape
        page = file.pages[0]
        if page.photometric == 3:  # type: ignore[union-attr]  # a palette
            return Header(shape[-2], shape[-1], 3, "uint8", "P")
        size = dict(zip(axes, shape, strict=True))
        others = int(np.prod([n for a, n in zip(axes, shape, strict=True) if a not in "YX"]))
        dtype = {"uint8": "uint8", "bool": "uint8", "uint16": "uint16", "int16": "uint16"}.get(
            str(series.dtype), "float32"
        )
        if others == 4 and axes.endswith("S"):
            others = 3  # an alpha channel
        return Header(size["Y"], size["X"], others, dtype, f"TIFF {axes}", others)


def _item(files: tuple[Path, ...], shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """One item as (C, H, W) of the common shape and type."""
    parts = [pixels_of(path, (shape[1], shape[2])) for path in files]
    picture = parts[0] if len(parts) == 1 else np.concatenate(parts)
    if len(picture) != shape[0]:
        if len(picture) == 1 and shape[0] == 3:
            picture = np.repeat(picture, 3, axis=0)
        elif len(picture) == 3 and shape[0] == 1:
            picture = _to(np.tensordot([0.299, 0.587, 0.114], picture.astype(np.float32), 1)[None], picture.dtype)
        else:
            raise ValueError(f"{len(picture)} channels where the others have {shape[0]}")
    picture = _to(picture, dtype)
    return picture if picture.shape == tuple(shape) else _resize(picture, (shape[1], shape[2]))


def _to(picture: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Pixels in another type: 8 bit to 16 bit keeps white white."""
    if picture.dtype == dtype:
        return picture
    if picture.dtype == np.uint8 and dtype == np.uint16:
        return picture.astype(np.uint16) * 257
    if picture.dtype == np.uint16 and dtype == np.uint8:
        return (picture >> 8).astype(np.uint8)
    if np.dtype(dtype).kind == "u":
        return np.clip(np.rint(picture), 0, np.iinfo(dtype).max).astype(dtype)
    return picture.astype(dtype)


def _resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Each channel to (H, W), bilinear with antialiasing."""
    from PIL import Image

    out = np.empty((len(picture), *size), np.float32)
    for i, channel in enumerate(picture):
        out[i] = np.asarray(
            Image.fromarray(channel.astype(np.float32)).resize((size[1], size[0]), Image.Resampling.BILINEAR)
        )
    return _to(out, picture.dtype)


def pixels_of(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """One picture file as (C, H, W) uint8, uint16 or float32. size: (H, W) wanted, which lets JPEG decode smaller."""
    with path.open("rb") as file:
        is_tiff = file.read(4) in TIFF
    if is_tiff:
        return _tiff(path)
    from PIL import Image

    with Image.open(path) as picture:
        if size is not None and picture.format == "JPEG":
            picture.draft(None, (size[1], size[0]))
        mode = picture.mode
        if mode == "F":
            return np.asarray(picture, np.float32)[None]
        if mode.startswith("I"):
            return np.clip(np.asarray(picture), 0, 65535).astype(np.uint16)[None]
        if _channels(picture) == 1:
            return np.asarray(picture.convert("L"))[None]
        return np.ascontiguousarray(np.asarray(picture.convert("RGB")).transpose(2, 0, 1))


def _tiff(path: Path) -> np.ndarray:
    import tifffile

    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        page = file.pages[0]
        values, axes = series.asarray(), series.axes
        if page.photometric == 3:  # type: ignore[union-attr]
            table = page.colormap  # type: ignore[union-attr]
            return (table[:, values] >> 8).astype(np.uint8)
    if axes.endswith("S"):
        values = (
            np.moveaxis(values, -1, -3)[..., :3, :, :]
            if values.shape[-1] >= 3
            else np.moveaxis(values, -1, -3)[..., :1, :, :]
        )
    values = values.reshape(-1, *values.shape[-2:])
    if values.dtype == bool:
        return values.astype(np.uint8) * 255
    if values.dtype in (np.uint8, np.uint16):
        return values
    if values.dtype == np.int16:
        return np.clip(values, 0, None).astype(np.uint16)
    return values.astype(np.float32)
