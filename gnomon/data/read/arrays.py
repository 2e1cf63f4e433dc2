"""Arrays: idx files in pairs, npz and npy, MATLAB .mat, and mappings of arrays: pictures or features beside labels."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.read import names as told
from gnomon.data.read._raw import Raw, strings
from gnomon.data.read._sniff import open_bytes
from gnomon.data.table import Dense, Spec
from gnomon.errors import InputError

FEATURES = re.compile(r"(^|[_\W])(images?|imgs?|data|x|features?|inputs?|sequences?)$", re.I)
LABELS = re.compile(r"(^|[_\W])(labels?|y|targets?|class(es)?)$", re.I)
IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
LIST = (np.ndarray, list, tuple)


def read_idx(path: Path) -> np.ndarray:
    """One idx file (big-endian, as MNIST is kept), gzip or not."""
    with open_bytes(path) as file:
        _, kind, rank = struct.unpack(">HBB", file.read(4))
        shape = struct.unpack(f">{rank}I", file.read(4 * rank))
        body = np.frombuffer(file.read(), IDX_TYPES[kind])
    if body.size != int(np.prod(shape)):
        raise InputError(
            "E-UNREADABLE", f"{path} says it holds {shape} values, but {body.size} are there", do="copy the file again"
        )
    return body.reshape(shape).astype(body.dtype.newbyteorder("="))


def read_idx_pairs(paths: Sequence[Path]) -> Raw:
    """Pictures and labels in idx files, paired by name; several pairs (train, t10k) end to end with a split column."""
    arrays = {p: read_idx(p) for p in paths}
    pictures = [p for p in paths if arrays[p].ndim >= 2]
    labels = {_pair_key(p): p for p in paths if arrays[p].ndim == 1}
    if not pictures:
        raise InputError("E-ARRAYS", f"{paths[0]} holds labels only", do="give the images' idx file too")
    by_part: dict[str, dict[str, np.ndarray]] = {}
    for path in pictures:
        found = {"images": arrays[path]}
        mate = labels.get(_pair_key(path)) or (
            next(iter(labels.values())) if len(labels) == len(pictures) == 1 else None
        )
        if mate is not None:
            found["labels"] = arrays[mate]
        by_part[_pair_key(path)] = found
    return _of_parts(by_part, tuple(map(str, paths)))


def _pair_key(path: Path) -> str:
    return re.sub(r"[\W_]*(images?|labels?|idx\d|ubyte)[\W_]*", " ", told.stem(path.name), flags=re.I).strip()


def read_arrays(path: Path) -> Raw:
    """An npz, npy or mat file; nothing pickled is read."""
    try:
        if path.suffix == ".mat":
            from scipy.io import loadmat

            held: dict[str, Any] = {k: v for k, v in loadmat(path).items() if not k.startswith("__")}
        else:
            loaded = np.load(path, allow_pickle=False)
            held = {"x": loaded} if isinstance(loaded, np.ndarray) else {k: loaded[k] for k in loaded}
    except Exception as error:  # zip, zlib, numpy and scipy each raise their own
        raise InputError(
            "E-UNREADABLE",
            f"{path} cannot be read as arrays: {error}",
            do="write it with numpy.savez; arrays of objects (pickles) are not read",
        ) from None
    return of_arrays(held, str(path))


def of_arrays(held: Mapping[str, Any], path: str = "the arrays") -> Raw:
    """Named arrays: images or X beside labels or y, whole or by part (train_images, test_labels ...)."""
    held = {k: np.asarray(v) for k, v in held.items()}
    held = {k: v.ravel() if v.ndim == 2 and 1 in v.shape and max(v.shape) > 1 else v for k, v in held.items()}
    by_part: dict[str, dict[str, np.ndarray]] = {}
    for key, value in held.items():
        for word, form in (("images", FEATURES), ("labels", LABELS)):
            if form.search(key):
                by_part.setdefault(form.sub("", key), {})[word] = value
    by_part = {p: f for p, f in by_part.items() if "images" in f}
    if not by_part:
        return _columns_of(held, path)
    shapes = {f["images"].shape[1:] for f in by_part.values()}
    if len(shapes) > 1:
        raise InputError(
            "E-ARRAYS",
            f"{path} holds arrays of different shapes: "
            + ", ".join(f"{p or 'images'} {f['images'].shape}" for p, f in by_part.items()),
            do="keep one family of arrays in the file",
        )
    rest = (
        {k: v for k, v in held.items() if not FEATURES.search(k) and not LABELS.search(k)} if len(by_part) == 1 else {}
    )
    return _of_parts(by_part, (path,), rest)


def _columns_of(held: Mapping[str, np.ndarray], path: str) -> Raw:
    """Arrays of one length without known names: each a column."""
    rows = {len(v) for v in held.values() if v.ndim >= 1}
    if len(rows) != 1:
        raise InputError(
            "E-ARRAYS",
            f"{path} holds arrays "
            + ", ".join(f"{k} {v.shape}" for k, v in held.items())
            + "; which are the inputs cannot be told",
            do="name them images and labels, or X and y",
        )
    raw = Raw({}, np.arange(rows.pop()), (path,))
    for key, value in held.items():
        raw = _add(raw, key, value)
    return raw


def _of_parts(
    by_part: Mapping[str, Mapping[str, np.ndarray]],
    paths: tuple[str, ...],
    rest: Mapping[str, np.ndarray] | None = None,
) -> Raw:
    parts = list(by_part)
    lengths = [len(by_part[p]["images"]) for p in parts]
    for part, n in zip(parts, lengths, strict=True):
        labels = by_part[part].get("labels")
        if labels is not None and len(labels) != n:
            raise InputError(
                "E-ARRAYS",
                f"{paths[0]}: {part or 'the file'} has {n} items and {len(labels)} labels",
                do="give as many labels as items",
            )
    raw = Raw({}, np.arange(sum(lengths)), paths)
    name = "image" if by_part[parts[0]]["images"].ndim > 2 else "x"
    raw = _add(raw, name, np.concatenate([by_part[p]["images"] for p in parts]))
    if all("labels" in by_part[p] for p in parts):
        raw = _labels(raw, np.concatenate([by_part[p]["labels"] for p in parts]))
    owner = np.repeat(np.arange(len(parts)), lengths)
    if len(parts) > 1:
        raw = _parts_column(raw, parts, owner)
    for key, value in (rest or {}).items():
        if value.ndim == 1 and len(value) == len(raw):
            raw = _add(raw, key, value)
    return raw


def _parts_column(raw: Raw, parts: list[str], owner: np.ndarray) -> Raw:
    split, _ = told.parts_and_classes([p or "whole" for p in parts])
    if all(split):
        why = "arrays called train, test and the like"
        return raw.add("file:split", strings([split[i] for i in owner]), ("category", why), ("split", why))
    why = "which arrays a row came from"
    return raw.add("file:array", strings([parts[i] or "whole" for i in owner]), ("category", why), ("ignore", why))


def _labels(raw: Raw, labels: np.ndarray) -> Raw:
    if labels.ndim == 1:
        whole = labels.dtype.kind in "iubUS" and len(np.unique(labels)) <= max(2, min(1000, len(labels) // 2))
        kind = ("category", "whole numbers in an array called labels") if whole else None
        values = strings([str(v) for v in labels.tolist()]) if labels.dtype.kind in "US" else labels.astype(np.float64)
        return raw.add("label", values, kind, ("target", "an array called labels or y"))
    for i in range(labels.reshape(len(labels), -1).shape[1] if labels.ndim == 2 else 0):
        raw = raw.add(
            f"label {i + 1}", labels[:, i].astype(np.float64), None, ("target", "an array called labels or y")
        )
    return raw


def _add(raw: Raw, name: str, value: np.ndarray) -> Raw:
    """One array as a column: vectors by their values, matrices as a block, more axes as pictures (n, C, H, W)."""
    if value.ndim == 1:
        if value.dtype.kind in "US":
            return raw.add(name, strings(value.tolist()), None, None)
        return raw.add(name, value if value.dtype == bool else value.astype(np.float64), None, None)
    if value.ndim == 2:
        labels = [f"{name}{i + 1}" for i in range(value.shape[1])]
        if value.shape[1] <= 200:
            for i, label in enumerate(labels):
                raw = raw.add(label, value[:, i].astype(np.float64), None, None)
            return raw
        block = Dense(value.astype(np.float32), Spec("number", (value.shape[1],)), tuple(labels))
        return raw.add(
            f"{labels[0]} ... ({len(labels)} columns)",
            block,
            ("number", f"a matrix of {value.shape[1]} columns"),
            ("input", "a matrix of numbers"),
        )
    if value.ndim == 3:
        value = value[:, None]
    elif value.ndim == 4 and value.shape[-1] <= 4 < value.shape[1]:
        value = value.transpose(0, 3, 1, 2)
    elif value.ndim != 4:
        raise InputError(
            "E-ARRAYS", f"the array '{name}' has {value.ndim} axes {value.shape}", do="pictures have 3 or 4 axes"
        )
    value = value.astype(np.uint8) * 255 if value.dtype == bool else value
    value = np.ascontiguousarray(value if value.dtype in (np.uint8, np.uint16) else value.astype(np.float32))
    spec = Spec("image", value.shape[1:], detail=str(value.dtype))
    return raw.add(name, Dense(value, spec), ("image", f"an array of shape {value.shape}"), ("input", "pictures"))
