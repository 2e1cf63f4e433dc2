"""A user's own network and estimators take part in a study, by a file that is named; a folder's own word opens nothing."""

from __future__ import annotations

import json
import os

import pandas as pd
import pytest

import gnomon
from gnomon.cli import main
from gnomon.data.bundle import bundled
from gnomon.methods import _trust

OWN = """
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures


class Squares(RegressorMixin, BaseEstimator):
    def fit(self, x, y):
        self.inner_ = make_pipeline(PolynomialFeatures(2), RidgeCV()).fit(x, y)
        return self

    def predict(self, x):
        return self.inner_.predict(x)


def squares(inputs, out):
    return Squares()


def neighbours(inputs, out):
    return KNeighborsRegressor(5)


def lines(inputs, out):
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.Linear(16, out.shape[0]))

        def forward(self, x):
            return self.layers(x["numbers"])

    return Net()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    os.environ["GNOMON_STATE"] = str(folder / "state")
    pd.read_csv(bundled("concrete.csv")).sample(300, random_state=2).to_csv(folder / "mix.csv", index=False)
    (folder / "mine.py").write_text(OWN)
    names = tuple(f"mine.py:{n}" for n in ("squares", "neighbours", "lines"))
    result = gnomon.study(folder / "mix.csv", target="strength_MPa", out=folder / "mix.study", budget="2m",
                          trust_code=folder / "mine.py", only=names)
    assert {c["label"] for c in result.report["candidates"]} >= {"floor", *names}
    return folder


@pytest.fixture
def another_process(monkeypatch):
    monkeypatch.setattr(_trust, "RUN_HERE", {})
    monkeypatch.setattr(_trust, "FILES", {})
    for module in ("gnomon.methods._network", "gnomon.workflow.run"):
        monkeypatch.setattr(f"{module}.RUN_HERE", _trust.RUN_HERE)


def test_a_network_of_ones_own_is_debugged_or_said_why_not(place):
    report = json.loads((place / "mix.study/report.json").read_text())
    told = {c["code"]: c for c in report["checks"] if c["code"].startswith("DEBUG-")}
    assert all(told[c]["ran"] for c in ("DEBUG-TINY", "DEBUG-GRADIENT", "DEBUG-UNDERFIT", "DEBUG-OVERFIT", "DEBUG-ERRORS"))
    assert "no `embed`" in told["DEBUG-SHIFT"]["why_not"] and "(mine.py:lines)" in told["DEBUG-SHIFT"]["why_not"]
    assert any(f["claim"].startswith("mine.py:lines: ") for f in report["findings"] if f["code"] == "DEBUG-GRADIENT")


def test_all_three_are_fitted_judged_and_predict(place):
    report = json.loads((place / "mix.study/report.json").read_text())
    for candidate in report["candidates"]:
        if candidate["label"].startswith("mine.py"):
            told = gnomon.predict(place / "mix.study", place / "mix.csv", candidate=candidate["recipe"]["hash"])
            assert candidate["valid"]["value"] < 16 and told["prediction"].notna().all()


@pytest.mark.usefixtures("another_process")
def test_a_folder_s_own_word_runs_nothing(place, capsys):
    """What a study says about trusted code may be a stranger's: each command wants the file named again."""
    for words in (["run", place / "mix.study"], ["predict", place / "mix.study", place / "mix.csv", "-o", place / "p.csv"],
                  ["explain", place / "mix.study"]):
        assert main([str(w) for w in words]) == 2
        told = capsys.readouterr().err
        assert "E-TRUST" in told and "--trust-code" in told and "Traceback" not in told
    assert not _trust.RUN_HERE


@pytest.mark.usefixtures("another_process")
def test_with_the_file_named_it_goes_on(place):
    words = ["predict", place / "mix.study", place / "mix.csv", "-o", place / "p.csv", "--trust-code", place / "mine.py"]
    assert main([str(w) for w in words]) == 0 and len(pd.read_csv(place / "p.csv")) == 300


def test_a_file_trusted_for_one_study_takes_no_part_in_another(place, tmp_path):
    result = gnomon.study(place / "mix.csv", target="strength_MPa", out=tmp_path / "plain.study", budget="20s", only=("ridge",))
    (tmp_path / "plain.study/plan.toml").unlink()
    again = gnomon.run(result.folder)
    assert not [c for c in again.report["candidates"] if "mine.py" in c["label"]]


@pytest.mark.usefixtures("another_process")
def test_a_file_that_changed_is_another_file(place, tmp_path, capsys):
    (tmp_path / "mine.py").write_text(OWN + "\n# later\n")
    words = ["predict", place / "mix.study", place / "mix.csv", "-o", place / "p.csv", "--trust-code", tmp_path / "mine.py"]
    assert main([str(w) for w in words]) == 2 and "changed" in capsys.readouterr().err
