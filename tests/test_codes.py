"""Every code has words, and a test that makes it come up; codes that only a larger machine meets are made to, too."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest

import gnomon
from gnomon.codes import ERRORS, FINDINGS
from gnomon.data.bundle import bundled
from gnomon.errors import InputError, TrainingError

HERE = Path(__file__).parent


def test_every_code_is_named_in_a_test():
    text = "\n".join(p.read_text(encoding="utf-8") for p in HERE.rglob("test_*.py"))
    named = set(re.findall(r"\b(?:LOOK|VALID|DEBUG|WHY|NEXT|E)-[A-Z0-9-]+\b", text))
    assert not sorted({*ERRORS, *FINDINGS} - named)


def test_no_technique_of_that_name():
    with pytest.raises(InputError, match="did you mean forest") as caught:
        gnomon.load("forrest")
    assert caught.value.code == "E-CARD-UNKNOWN"


def test_probes_and_trees_want_what_fits():
    linear_probe, similarity_tree = gnomon.load("linear_probe"), gnomon.load("similarity_tree")
    with pytest.raises(InputError) as caught:
        linear_probe(np.zeros((9, 2)), np.zeros(8))
    assert caught.value.code == "E-PROBE"
    with pytest.raises(InputError) as caught:
        similarity_tree(np.eye(3), ["one", "two"])
    assert caught.value.code == "E-SIMILARITY"


def test_models_that_grow_with_the_square_of_rows_say_where_they_end():
    from gnomon.models.tables._kernels import _not_too_many

    with pytest.raises(TrainingError, match="support_vectors reads at most 10 rows") as caught:
        _not_too_many(np.zeros((11, 2)), 10, "support_vectors")
    assert caught.value.code == "E-ROWS-MANY"
    _not_too_many(np.zeros((10, 2)), 10, "support_vectors")


def test_a_deadline_in_the_past_ends_a_run_with_its_code(tmp_path):
    from dataclasses import replace

    from gnomon.data.parts import Rows
    from gnomon.data.read.dispatch import read_data
    from gnomon.methods._desk import Desk
    from gnomon.tasks.regress import regress

    data = read_data(bundled("concrete.csv"), target="strength_MPa")
    desk = replace(Desk(), steps=50, deadline=time.monotonic() - 1)
    with pytest.raises(TrainingError, match="of 50") as caught:
        gnomon.load("supervised")(regress("strength_MPa"), gnomon.load("mlp"), data, Rows(np.arange(200), np.arange(200, 260)),
                                  0, desk)
    assert caught.value.code == "E-DEADLINE"


def test_a_step_that_never_fits_into_memory_ends_with_its_code():
    from types import SimpleNamespace

    from gnomon.methods import _loop

    run = object.__new__(_loop._Run)
    run.at = SimpleNamespace(parts=_loop.MOST_PARTS)
    with pytest.raises(TrainingError) as caught:
        run._halve(RuntimeError("out of memory"))
    assert caught.value.code == "E-MEMORY"


def test_pictures_of_another_shape_and_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    from PIL import Image

    from gnomon.data.cache import decode
    from gnomon.data.read.saved import _pictures
    from gnomon.data.table import Dense, Spec

    small = Dense(np.zeros((2, 1, 8, 8), np.uint8), Spec("image", (1, 8, 8), detail="uint8"))
    with pytest.raises(InputError, match=r"E-IMAGE-SHAPE.*8, 8"):
        _pictures("scan", small, Spec("image", (3, 8, 8), detail="uint8"))
    Image.new("L", (4, 4)).save(tmp_path / "one.png")
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("gnomon.data.cache.IN_MEMORY", 0)
    with pytest.raises(InputError, match=r"E-CACHE.*cannot be kept"):
        decode([(tmp_path / "one.png",)], cache=tmp_path / "file" / "cache")
