"""What a learned thing can do. Protocols only: nobody inherits from these."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np


class Predicts(Protocol):
    def predict(self, data: Any, rows: np.ndarray) -> Any:
        """Prediction for these rows of a Data (gnomon.tasks._task.Prediction)."""
        ...


class Embeds(Protocol):
    def embed(self, data: Any, rows: np.ndarray) -> np.ndarray:
        """(n, d) float32: the representation before the head."""
        ...


class Saves(Protocol):
    def save(self, folder: Path) -> None:
        """Write everything `predict` needs: no pickles."""
        ...
