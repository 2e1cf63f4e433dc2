"""Texts and sequences as sets of short pieces, their MinHash sketches, and the pairs that share most of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gnomon.analyses.explore._hashes import mixed
from gnomon.rng import stream

BANDS, DEPTH = 40, 3  # pairs with a Jaccard similarity of 0.4 meet in a band with probability 0.93, of 0.8 always


def shingles(values: Sequence[str | None], kind: str, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(keys uint64, owner int64): every run of `width` letters (sequence, molecule) or words (text) of every value.

    A value shorter than `width` gives one key, of the whole.
    """
    import pandas as pd

    if kind == "text":
        words = [(v or "").lower().split() for v in values]
        lengths = np.array([len(w) for w in words], dtype=np.int64)
        flat = np.array([w for piece in words for w in piece], dtype=object)
        letters = pd.util.hash_array(flat, categorize=True) if len(flat) else np.zeros(0, dtype=np.uint64)
    else:
        raw = [(v or "").upper().encode("utf-8", "replace") for v in values]
        lengths = np.array([len(r) for r in raw], dtype=np.int64)
        letters = mixed(np.frombuffer(b"".join(raw), dtype=np.uint8).astype(np.uint64) + np.uint64(7))
    owner = np.repeat(np.arange(len(values)), lengths)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    left = starts[owner + 1] - np.arange(len(letters))  # letters from here to the end of the value
    keys = np.zeros(len(letters), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for j in range(width):
            shifted = np.zeros_like(letters)
            shifted[:len(letters) - j] = letters[j:]
            keys = mixed(keys * np.uint64(31) + np.where(left > j, shifted, np.uint64(0)))
    keep = (left >= width) | (np.arange(len(letters)) == starts[owner])
    return keys[keep], owner[keep]


def sketches(keys: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
    """(count, BANDS * DEPTH) uint64 MinHash sketches (Broder 1997); the share of equal places estimates Jaccard."""
    salts = stream(0, "minhash").integers(1, 2**63, BANDS * DEPTH, dtype=np.uint64)
    present, starts = np.unique(owner, return_index=True)  # owners come in order
    out = np.zeros((count, len(salts)), dtype=np.uint64)
    for i, salt in enumerate(salts):
        out[present, i] = np.minimum.reduceat(mixed(keys ^ salt), starts)
    missing = np.setdiff1d(np.arange(count), present)
    out[missing] = missing[:, None].astype(np.uint64)  # empty values resemble nothing
    return out


def alike(sketch: np.ndarray, at_least: float, most: int = 3_000_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (left, right, estimated Jaccard) with an estimate of at least `at_least`, found by banding.

    A bucket of k values gives the k - 1 links of a star around its first value, so that crowds stay cheap: enough for
    families (connected components), and for counting values that have a near copy.
    """
    lefts, rights = [], []
    for band in range(BANDS):
        piece = sketch[:, band * DEPTH:(band + 1) * DEPTH]
        with np.errstate(over="ignore"):
            key = mixed(piece[:, 0] * np.uint64(3) + mixed(piece[:, 1]) * np.uint64(5) + mixed(mixed(piece[:, 2])))
        order = np.argsort(key, kind="stable")
        new = np.concatenate([[True], key[order][1:] != key[order][:-1]])
        head = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
        lefts += [order[head[~new]], order[np.flatnonzero(~new) - 1]]
        rights += [order[~new], order[~new]]
    pairs = np.unique(np.stack([np.concatenate(lefts), np.concatenate(rights)], axis=1), axis=0)[:most]
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    score = np.array([], dtype=float)
    for start in range(0, len(pairs), 100_000):
        piece = pairs[start:start + 100_000]
        score = np.append(score, (sketch[piece[:, 0]] == sketch[piece[:, 1]]).mean(axis=1))
    keep = score >= at_least
    return pairs[keep, 0], pairs[keep, 1], score[keep]
