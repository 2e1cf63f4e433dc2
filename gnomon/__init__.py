"""gnomon: bring scientific data of any kind; it says where to start, trains honestly and judges what was learned.

    import gnomon
    result = gnomon.study("molecules.csv", target="solubility")      # or a DataFrame
    result.predict("new.csv")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.api import (
        ablate,
        accept,
        clean,
        compare,
        examine,
        explain,
        look,
        plan,
        predict,
        relabel,
        replay,
        report,
        run,
        study,
        trust,
        why,
    )
    from gnomon.card import load

__version__ = "0.1.0"
VERBS = ("study", "look", "plan", "run", "examine", "report", "predict", "explain", "compare", "replay", "why", "accept",
         "clean", "ablate", "relabel")
__all__ = [*VERBS, "trust", "cards", "load"]


def __getattr__(name: str) -> Any:
    """The verbs are imported when first used, so that `import gnomon` stays instant."""
    import importlib

    if name in VERBS or name == "trust":
        return getattr(importlib.import_module("gnomon.api"), name)
    if name == "load":
        return importlib.import_module("gnomon.card").load
    if name == "cards":
        return importlib.import_module("gnomon.card").catalogue
    raise AttributeError(f"module 'gnomon' has no attribute '{name}'")
