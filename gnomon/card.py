"""Cards: what a technique is, when to use it and when not. The catalogue is read from the files, never registered."""

from __future__ import annotations

import ast
import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
WORDS = ("labels", "unlabelled", "groups", "time", "domain", "env", "steps", "fit", "gradient", "loss",
         "embed", "sample", "log_prob", "encoder", "critic")
FOLDERS = ("data", "tasks", "models", "methods", "analyses", "workflow")


@dataclass(frozen=True)
class Card:
    """One technique. Written once, as keyword literals only, at the head of its file; parsed, not imported."""

    name: str
    gist: str
    use_when: str
    avoid_when: str
    paper: str  # "Tarvainen & Valpola 2017, arXiv:1703.01780"
    survey: tuple[str, ...]  # row ids of the survey: ("L10",)
    tasks: tuple[str, ...] = ()  # () = any
    reads: tuple[str, ...] = ()  # column kinds; () = any
    needs: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    tune: Mapping[str, tuple] = field(default_factory=dict)
    cost: str = "minutes"
    key: str = ""  # the file's stem; filled in by the catalogue
    module: str = ""  # the import path; filled in by the catalogue

    @property
    def folder(self) -> str:
        return self.module.split(".")[1] if self.module else ""


def read_card(path: Path) -> Card | None:
    """The card at the head of one file, or None. Only the literal is evaluated: nothing of the file runs."""
    text = path.read_text(encoding="utf-8")
    start = text.find("\nCARD = Card(")
    if start < 0:
        return None
    end = text.find("\n)\n", start)
    call = ast.parse(text[start + 1:end + 2]).body[0].value  # type: ignore[attr-defined]
    values = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    module = ".".join(("gnomon", *path.relative_to(ROOT).with_suffix("").parts))
    return Card(**values, key=path.stem, module=module)


@functools.cache
def catalogue() -> Mapping[str, Card]:
    """Every card of the package by its key (the file's stem), in the order of the tree."""
    found: dict[str, Card] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.name.startswith("_"):
                continue
            card = read_card(path)
            if card is not None:
                if card.key in found:
                    raise AssertionError(f"two cards are called {card.key}: {found[card.key].module}, {card.module}")
                found[card.key] = card
    return found


def load(key: str) -> Callable[..., Any]:
    """The public function of a technique, by its key: `load("forest")`. Imports its file only now."""
    from gnomon.errors import InputError

    cards = catalogue()
    if key not in cards:
        import difflib

        near = difflib.get_close_matches(key, cards, n=3)
        raise InputError("E-CARD-UNKNOWN", f"no technique is called '{key}'",
                         do=f"did you mean {', '.join(near)}?" if near else "see `gnomon cards`")
    return getattr(importlib.import_module(cards[key].module), key)
