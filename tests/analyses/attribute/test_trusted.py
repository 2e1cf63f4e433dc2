"""The package's table of trusted techniques is the benchmark's ranking, and a study explains by it, with the reason."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from attribution_fakes import Formula, table, values
from test_techniques import of_every_kind

from gnomon.analyses.attribute import _attempts, _trusted
from gnomon.analyses.attribute._explain import explain
from gnomon.analyses.attribute._techniques import TECHNIQUES
from gnomon.rng import stream
from gnomon.tasks.regress import regress

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import attribution_truth

    yield attribution_truth
    for name in ("attribution_truth", "_planting", "_plantings", "_planted_texts", "_real_masks", "_kit"):
        sys.modules.pop(name, None)


def test_the_table_is_the_benchmarks_ranking(benchmark):
    rows = json.loads((BENCHMARKS / "results" / "attribution_truth.json").read_text())["rows"]
    assert _trusted.TABLE.read_text(encoding="utf-8") == benchmark.table(rows), "python benchmarks/attribution_truth.py --table"
    kinds = {t.kind for t in _trusted._table()}
    assert {"number", "number forest", "sequence"} <= kinds
    for kind in kinds:
        ranked = _trusted.trusted(kind)
        assert [t.place for t in ranked] == list(range(1, len(ranked) + 1)) and {t.technique for t in ranked} <= set(TECHNIQUES)
        assert all(a.auroc >= b.auroc for a, b in pairwise(ranked))
        assert f"{ranked[0].auroc:.2f}" in ranked[0].says and _trusted.COMMAND in ranked[0].says


def test_every_kind_has_names_to_try_and_those_open_to_any_model_ask_nothing_of_it():
    case = of_every_kind()
    assert _trusted.kind_of(case.data, network=True) == "image" == _trusted.kind_of(case.data, network=False)
    assert "occlusion" in _attempts.suited_names(case, None) and "tree_shap" not in _attempts.suited_names(case, None)
    anywhere = _attempts.suited_names(case, None, anything=True)
    assert anywhere and not {"integrated_gradients", "grad_cam"} & set(anywhere)


def test_a_study_explains_by_the_best_that_applies_and_says_why():
    dice = stream(1, "trusted")
    x = {name: dice.normal(size=150) for name in "abcd"}
    data = table({**x, "y": 2 * x["a"] - x["b"]})
    model = Formula(lambda d, r: 2 * values(d, r, "a")[0] - values(d, r, "b")[0])
    told = explain(model, regress("y"), data, np.arange(150), np.arange(150),
                   fit_again=lambda s: Formula(lambda d, r: stream(s, "blind").normal(size=len(r))))
    best = next(t for t in _trusted.trusted("number forest") if t.technique not in ("tree_shap", "prediction_difference"))
    entry = next(e for e in told.explanations if e["technique"] != "permutation_importance")
    assert entry["technique"] == best.technique and best.says in entry["because"] and not entry["withheld"]


def test_a_place_in_the_ranking_is_not_worth_the_rows(monkeypatch):
    """The first that explains all rows in half of the time left; else the first, for fewer rows. What was dear is said."""
    import time
    from dataclasses import replace

    from gnomon.analyses.attribute import _techniques

    case = replace(of_every_kind(), end=time.monotonic() + 1000)
    costs = {"deeplift": 900.0, "occlusion": 1.0, "saliency": 2.0, "smoothgrad": 700.0}
    monkeypatch.setattr(_techniques, "seconds_for", lambda _, name: costs[name])
    found = _attempts.by_trusted(case, ["deeplift", "saliency"], [], technique="deeplift")
    assert found.technique == "saliency" and "deeplift would take about 900 s for all 8 rows" in found.because
    used = []
    costs |= {"occlusion": 600.0, "saliency": 800.0}
    found = _attempts.by_trusted(case, ["deeplift", "saliency"], used, technique="deeplift")
    assert found.technique == "deeplift" and used == ["deeplift"] and "deeplift would" not in found.because
    endless = replace(case, end=float("inf"))
    assert _attempts.by_trusted(endless, ["saliency"], [], technique="saliency").technique == "saliency"
    over = replace(case, end=time.monotonic() - 60)  # ends, and says why
    assert not isinstance(_attempts.by_trusted(over, ["deeplift", "saliency"], [], technique="deeplift"), _attempts.Attempt)
