"""Statements reach the explanation: curves of what matters, and cues removed from rows that did not make the claim."""

from dataclasses import dataclass

import numpy as np
from attribution_fakes import Formula, Odds, table, values

from gnomon.analyses.attribute._explain import explain
from gnomon.analyses.attribute._statements import Held, curves_of
from gnomon.analyses.attribute.permutation_importance import permutation_importance
from gnomon.rng import stream
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress


def curved(n=300):
    dice = stream(0, "rows")
    a, b, c = dice.normal(size=(3, n))
    site = np.array(["x", "y"])[dice.integers(0, 2, n)]
    site[:3] = "rare"
    truth = a**2 + a * b + 2 * (site == "y")
    return table({"a": a, "b": b, "c": c, "category:site": site, "y": truth})


def predicted(data, rows):
    a, b, site = values(data, rows, "a", "b", "site")
    return a**2 + a * b + 2 * (site == 2)


def test_curves_are_of_what_matters_with_interactions_and_no_rare_category():
    data, rows = curved(), np.arange(300)
    task, learned = regress("y", mean=0.0, sd=1.0), Formula(predicted)
    shuffled = permutation_importance(learned, task, data, rows, rows)
    told = curves_of(shuffled.found, Held(learned, task, data, rows, rows, rows, 0, np.inf))["dependence"]
    curves = {c["column"]: c for c in told["curves"]}
    assert set(curves) == {"a", "b", "site"} and told["about"] == "y"
    middle, ends = curves["a"]["curve"][len(curves["a"]["at"]) // 2], curves["a"]["curve"]
    assert ends[0] > middle + 1 and ends[-1] > middle + 1
    assert curves["site"]["at"] == ["x", "y"]
    together = {tuple(sorted(p["columns"])): p["value"] for p in told["interactions"]}
    assert together["a", "b"] > 0.15 > together["b", "site"]


def test_without_time_there_are_no_curves():
    data, rows = curved(60), np.arange(60)
    task, learned = regress("y", mean=0.0, sd=1.0), Formula(predicted)
    shuffled = permutation_importance(learned, task, data, rows, rows)
    assert curves_of(shuffled.found, Held(learned, task, data, rows, rows, rows, 0, 0.0)) == {}


@dataclass(frozen=True)
class Reader:
    """Odds that rise with a motif; `fit_again` gives one that reads nothing."""

    word: str

    def predict(self, data, rows):
        has = np.array([s.count(self.word) for s in data.columns["s"].take(rows)], dtype=float)
        part = np.array([max(sum(a == b for a, b in zip(s[i:i + 8], self.word, strict=False)) for i in range(len(s) - 7))
                         for s in data.columns["s"].take(rows)]) / 8
        return Odds(lambda *_: 4 * has + 3 * part - 3).predict(data, rows)


def test_a_motif_is_found_and_its_removal_measured_on_other_rows():
    dice, word = stream(1, "texts"), "GGATCCTA"
    texts = np.array(["".join(dice.choice(list("ACGT"), 30)) for _ in range(200)], dtype=object)
    for k in range(0, 200, 2):
        at = int(dice.integers(0, 22))
        texts[k] = texts[k][:at] + word + texts[k][at + 8:]
    data = table({"sequence:s": texts, "category:y": np.where(np.arange(200) % 2, "no", "yes")})
    rows = np.arange(200)
    told = explain(Reader(word), classify("y", ("no", "yes")), data, rows, rows, seconds=60,
                   fit_again=lambda seed: Reader("".join(stream(seed, "word").permutation(list(word)))))
    entry = next(e for e in told.explanations if "motifs" in e)  # whichever technique is trusted most on sequences
    assert not entry["withheld"]
    best = entry["motifs"]["found"][0]
    assert word in best["consensus"].upper() and best["rows"] >= 15 and best["low"] > 0
    removed = entry["removal"]["found"][0]
    assert removed["holds"] and removed["rows"] >= 40 and removed["output"]["low"] > removed["random"]["high"]
    assert removed["score"]["value"] > removed["score_random"]["value"]
