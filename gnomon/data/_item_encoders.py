"""Columns whose every value is a whole of its own: texts and sequences as tokens, pictures as pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.data._encoder import OneColumn, State, plain_state
from gnomon.data._resident import ImageRows, TokenRows, resident
from gnomon.data.table import Data, Dense, Spec, strings

RESIDENT_BYTES = 2 << 30  # images up to this size live as one tensor on the device; larger ones come batch by batch
MEASURED_IMAGES = 2048  # training images from which mean and spread are taken


@dataclass(frozen=True)
class Sequences(OneColumn):
    """A text, sequence or SMILES column as Tokens, padded to the longest of the batch."""

    vocabulary: Any  # gnomon.data.tokens.Vocabulary
    kind = "tokens"

    @property
    def spec(self) -> Spec:
        return self.vocabulary.spec

    def load(self, data: Data, device: Any) -> TokenRows:
        values, offsets = self.vocabulary.encode(strings(data.columns[self.column]))
        return TokenRows(resident(values, device), resident(offsets, device), offsets)

    def state(self) -> State:
        return {"kind": self.kind, "column": self.column, "vocabulary": self.vocabulary.state()}, {}


@dataclass(frozen=True)
class Image(OneColumn):
    """Images as (B, C, H, W) float32, channels last in memory, each channel standardised by training images."""

    shape: tuple[int, ...]
    mean: np.ndarray
    sd: np.ndarray
    kind = "image"

    @property
    def spec(self) -> Spec:
        return Spec("image", shape=self.shape)

    def load(self, data: Data, device: Any) -> ImageRows:
        import torch

        column = data.columns[self.column]
        mean, sd = (torch.tensor(v, dtype=torch.float32, device=device).view(1, -1, 1, 1) for v in (self.mean, self.sd))
        held = None
        if isinstance(column, Dense) and column.values.dtype == np.uint8 and column.nbytes <= RESIDENT_BYTES:
            held = torch.from_numpy(np.ascontiguousarray(column.values)).to(device)
        return ImageRows(column, held, mean, 1 / sd)

    def state(self) -> State:
        return plain_state(self), {"mean": self.mean, "sd": self.sd}


def fit_tokens(data: Data, rows: np.ndarray, column: str, longest: int) -> Sequences:
    from gnomon.data import tokens

    spec = data.columns[column].spec
    detail = {"molecule": "SMILES", "text": ""}.get(spec.kind, spec.detail)
    return Sequences(column, tokens.fit_tokens(strings(data.columns[column], rows), detail, longest=longest))


def fit_image(data: Data, rows: np.ndarray, column: str) -> Image:
    spread = rows[np.linspace(0, len(rows) - 1, min(len(rows), MEASURED_IMAGES)).astype(int)]
    pixels = data.columns[column].take(spread)
    mean = np.asarray(np.nanmean(pixels, axis=(0, 2, 3), dtype=np.float64))
    sd = np.asarray(np.nanstd(pixels, axis=(0, 2, 3), dtype=np.float64))
    shape = tuple(int(s) for s in pixels.shape[1:])
    return Image(column, shape, mean.astype(np.float32), np.where(sd > 0, sd, 1).astype(np.float32))
