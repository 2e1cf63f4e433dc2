"""One picture: what its file says of itself before decoding, and its pixels as (C, H, W)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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


def item_header(files: tuple[Path, ...]) -> Header | str:
    """The header of an item (its files must agree in size), or why it is broken."""
    try:
        found = [header(path) for path in files]
    except Exception as error:  # decoders raise many kinds for broken files; the item is listed, not lost
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


def item(files: tuple[Path, ...], shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """One item as (C, H, W) of the common shape and type."""
    parts = [pixels_of(path, (shape[1], shape[2])) for path in files]
    picture = parts[0] if len(parts) == 1 else np.concatenate(parts)
    if len(picture) != shape[0]:
        if len(picture) == 1 and shape[0] == 3:
            picture = np.repeat(picture, 3, axis=0)
        elif len(picture) == 3 and shape[0] == 1:
            picture = pixels_as(np.tensordot([0.299, 0.587, 0.114], picture.astype(np.float32), 1)[None], picture.dtype)
        else:
            raise ValueError(f"{len(picture)} channels where the others have {shape[0]}")
    picture = pixels_as(picture, dtype)
    return picture if picture.shape == tuple(shape) else _resize(picture, (shape[1], shape[2]))


def pixels_as(picture: np.ndarray, dtype: np.dtype) -> np.ndarray:
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
    return pixels_as(out, picture.dtype)


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
