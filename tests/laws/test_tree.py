"""Laws over the whole tree: imports point one way, cards are whole and true, codes are explained, imports are quick."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gnomon.card import ROOT, WORDS, catalogue, load
from gnomon.codes import ERRORS, FINDINGS
from gnomon.data.table import KINDS

LAYERS = ("card", "values", "verbs", "rng", "errors", "codes", "data", "tasks", "models", "methods", "analyses", "workflow",
          "reporting", "api", "_grammar", "cli")
BASE = ("card", "values", "verbs", "rng", "errors", "codes")
FILES = sorted(p for p in ROOT.rglob("*.py") if "bundled" not in p.parts)
ROWS = re.compile(r"^[TWCRVGSMLIAP]\d+$")


def layer(module: str) -> int:
    name = module.split(".")[1] if "." in module else "cli"
    return 0 if name in BASE else LAYERS.index(name) if name in LAYERS else len(LAYERS)


def imports_of(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gnomon."):
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.startswith("gnomon.")]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    module = ".".join(("gnomon", *path.relative_to(ROOT).with_suffix("").parts))
    if module in ("gnomon.__init__", "gnomon.__main__"):
        return
    backwards = [name for name in imports_of(path) if layer(name) > layer(module)]
    assert not backwards, f"{module} imports {backwards}, which stand after it"


CARDS = catalogue()


@pytest.mark.parametrize("key", CARDS)
def test_card_is_whole(key):
    card = CARDS[key]
    assert all(len(text) > 15 for text in (card.gist, card.use_when, card.avoid_when)), "say what, when and when not"
    assert re.search(r"(19|20)\d\d", card.paper), "a reference has a year"
    assert card.survey and all(ROWS.match(row) for row in card.survey)
    assert set(card.needs) | set(card.gives) <= set(WORDS)
    assert set(card.reads) <= set(KINDS)


@pytest.mark.parametrize("key", CARDS)
def test_card_tells_the_truth_about_its_function(key):
    function, card = load(key), CARDS[key]
    assert callable(function) and function.__doc__, "a public function named like the file, with a docstring"
    parameters = inspect.signature(function).parameters
    assert set(card.tune) <= set(parameters), "tune names real keyword arguments"
    keywords = [p for p in parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert len(keywords) <= 8, "past eight options it is two techniques"
    assert not any(p.kind is p.VAR_KEYWORD for p in parameters.values()), "no tunnel of keywords"


def test_every_word_is_used_on_both_sides():
    needs = {w for c in CARDS.values() for w in c.needs}
    gives = {w for c in CARDS.values() for w in c.gives} | {"labels", "unlabelled", "groups", "time", "domain", "env", "steps"}
    assert needs <= gives


def test_every_code_that_is_raised_is_explained():
    text = "\n".join(p.read_text(encoding="utf-8") for p in FILES if p.name != "codes.py")
    raised = set(re.findall(r'"((?:LOOK|VALID|DEBUG|WHY|E)-[A-Z0-9-]*[A-Z0-9])"', text))
    assert raised <= set(FINDINGS) | set(ERRORS)


def test_no_file_names_this_machine_or_a_registry():
    for path in [*FILES, *Path(ROOT.parent).glob("*.toml"), *Path(ROOT.parent).glob("*.md")]:
        assert not re.search(r"/work/|pypi\.org|registry\.npm", path.read_text(encoding="utf-8")), path


def test_import_loads_nothing_heavy():
    code = "import sys, gnomon, gnomon.cli; print([m for m in ('torch', 'sklearn', 'pandas', 'numpy') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
