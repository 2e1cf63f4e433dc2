"""Open what a method saved: a fitted estimator or a network, whichever `learned.json` says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gnomon.errors import InputError


def load_learned(folder: Path, *, build: Callable[..., Any] | None = None) -> Any:
    """The learned thing in this folder; offers predict(data, rows), and embed where it is a network.

    build: the builder of a network of the user's own, loaded as trusted code; the folder itself never runs anything.
    """
    try:
        kind = json.loads((folder / "learned.json").read_text(encoding="utf-8"))["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("E-MODEL-FILE", f"{folder / 'learned.json'} cannot be read: {error}",
                         do="type the study's command again") from None
    if kind == "fitted":
        from gnomon.methods._fitted import load_fitted

        return load_fitted(folder)
    if kind == "network":
        from gnomon.methods._network import load_network

        return load_network(folder, build=build)
    raise InputError("E-MODEL-FILE", f"{folder / 'learned.json'} holds the unknown kind '{kind}'", do="upgrade gnomon")
