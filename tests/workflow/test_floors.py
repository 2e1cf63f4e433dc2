"""The floor fits the design: prevalence or mean by site, persistence over time; and a model must beat the best of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gnomon
from gnomon.analyses.validate.no_signal import no_signal
from gnomon.data.read.dispatch import read_data
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress
from gnomon.workflow._floors import floor_prediction, pooled_means
from gnomon.workflow.look import read_stage, whole_look
from gnomon.workflow.options import Options

SMALL = {"only": ("ridge", "logistic"), "examples": False, "budget": "60s"}


def sites(n: int, effect: float, seed: int) -> pd.DataFrame:
    """Patients at four sites of very different prevalence; `effect`: of one input beyond the site."""
    rng = np.random.default_rng(seed)
    site = rng.integers(0, 4, n)
    x = rng.normal(size=(n, 3))
    logit = np.array([-2.2, -0.7, 0.7, 2.2])[site] + effect * x[:, 0]
    sick = rng.random(n) < 1 / (1 + np.exp(-logit))
    return pd.DataFrame({"centre": np.array(["north", "south", "east", "west"])[site], "a": x[:, 0], "b": x[:, 1],
                         "c": x[:, 2], "sick": np.where(sick, "yes", "no")})


def test_floor_by_level_is_the_level_s_own_share_and_an_unseen_level_gets_the_overall():
    rng = np.random.default_rng(0)
    share = {"a": 0.9, "b": 0.1, "c": 0.5}
    site = np.repeat(list("abc"), 400)
    table = pd.DataFrame({"site": site, "y": np.where(rng.random(1200) < [share[s] for s in site], "1", "0")})
    data = read_data(table, target="y", roles={"site": "group"})
    known, ahead = np.arange(800), np.array([0, 400, 800])
    told = floor_prediction(classify("y", ("0", "1")), data, {"by": "site"}, known, ahead)
    own = [(table.y[:400] == "1").mean(), (table.y[400:800] == "1").mean(), (table.y[:800] == "1").mean()]
    np.testing.assert_allclose(told.proba[:, 1], own, atol=1e-3)


def test_levels_that_only_differ_by_chance_are_drawn_together():
    """200 levels of five rows: their own means would look informative; pooled as the variance between them allows, the
    overall mean is left. With true differences the random intercept of a mixed model is recovered."""
    rng = np.random.default_rng(1)
    level = np.repeat(np.arange(200), 5)
    noise = rng.normal(size=(1000, 1))
    assert pooled_means(noise, level, np.arange(200)).std() < 0.2 * noise.reshape(200, 5).mean(axis=1).std()
    truth = rng.normal(size=200) * 2
    values = truth[level][:, None] + rng.normal(size=(1000, 1))
    weight = 4 / (4 + 1 / 5)  # variances are 4 and 1
    expected = weight * values.reshape(200, 5).mean(axis=1) + (1 - weight) * values.mean()
    np.testing.assert_allclose(pooled_means(values, level, np.arange(200))[:, 0], expected, atol=0.05)


def test_persistence_is_the_latest_known_value_of_each_unit():
    table = pd.DataFrame({"year": [2000, 2001, 2002, 2000, 2001, 2003, 2004], "station": list("aaabbab"),
                          "y": [1.0, 2.0, np.nan, 5.0, 6.0, 9.5, 9.6]})
    data = read_data(table, target="y", roles={"station": "group", "year": "time"})
    known, ahead = np.arange(5), np.array([5, 6])
    by_station = floor_prediction(regress("y"), data, {"latest": "year", "by": "station"}, known, ahead)
    np.testing.assert_allclose(by_station.value, [2.0, 6.0])
    np.testing.assert_allclose(floor_prediction(regress("y"), data, {"latest": "year"}, known, ahead).value, [4.0, 4.0])


@pytest.mark.parametrize("held_out", [True, False])
def test_a_model_that_only_knows_the_site_does_not_beat_the_site_floor(held_out):
    """40 draws: the site floor plus noise, best of three; and with a real effect beyond the site."""
    task, found = classify("y", ("0", "1")), {}
    for effect in (0.0, 2.0):
        hits = []
        for seed in range(40):
            rng = np.random.default_rng(seed)
            base = np.array([-2.0, -0.5, 0.5, 2.0])[rng.integers(0, 4, 200)]
            x = rng.normal(size=200)
            y = (rng.random(200) < 1 / (1 + np.exp(-base - effect * x))).astype(int)

            def stats(logit, task=task, y=y):
                p = 1 / (1 + np.exp(-logit))
                return task.measure(Prediction((p > 0.5).astype(int), np.stack([1 - p, p], 1)), y)

            models = [stats(base + effect * x + 0.4 * rng.normal(size=200)) for _ in range(3)]
            told = no_signal(task, models[0] if held_out else models, stats(base), None, informed=True, seed=seed)
            hits.append(told.signal)
        found[effect] = np.mean(hits)
    assert found[0.0] <= 0.1 and found[2.0] >= 0.95


def test_site_prevalence_alone_is_no_signal_and_more_than_it_is(tmp_path):
    nothing = gnomon.study(sites(300, 0.0, 1), target="sick", for_="same-groups", out=tmp_path / "a.study", **SMALL)
    assert nothing.report["verdict"]["outcome"] == "no-signal" and nothing.report["verdict"]["recommended"] is None
    assert "knowing only 'centre'" in nothing.claim
    floors = {c["label"]: c["valid"]["value"] for c in nothing.report["candidates"] if c["family"] == "floor"}
    assert floors["floor by centre"] > 0.7 and floors["floor"] == 0.5
    more = gnomon.study(sites(300, 2.0, 1), target="sick", for_="same-groups", out=tmp_path / "b.study", **SMALL)
    assert more.report["verdict"]["recommended"] is not None
    best = {c["recipe"]["hash"]: c["label"] for c in more.report["candidates"]}
    assert best[more.report["verdict"]["floor"]] == "floor by centre"


def test_patients_within_centres_and_new_centres(tmp_path):
    """With the patient as unit the centre is known at prediction, an input and a floor; for new sites it is the unit."""
    table = sites(120, 0.0, 2).loc[np.repeat(np.arange(120), 3)].reset_index(drop=True)
    table["patient"] = np.repeat(np.arange(120), 3)
    table[["a", "b", "c"]] += np.random.default_rng(0).normal(size=(360, 3))
    told = gnomon.look(table, target="sick", group="patient")
    assert {c["name"]: c["role"] for c in told["data"]["columns"]}["centre"] == "input"
    assert told["split"]["policy"] == "group:patient"
    told = gnomon.look(table.drop(columns="patient"), target="sick", for_="new-site")
    assert told["split"]["policy"] == "group:centre"


def test_a_random_walk_is_not_beaten_but_a_trend_with_a_cause_is(tmp_path):
    rng = np.random.default_rng(3)
    n = 240
    days = pd.date_range("2020-01-01", periods=n).astype(str)
    walk = np.cumsum(rng.normal(size=n))
    inputs = rng.normal(size=(n, 2))
    table = pd.DataFrame({"date": days, "a": inputs[:, 0], "b": inputs[:, 1], "level": walk})
    told = gnomon.study(table, target="level", out=tmp_path / "walk.study", **SMALL).report
    assert told["split"]["policy"].startswith("time") and told["verdict"]["outcome"] == "no-signal"
    assert {"floor", "floor latest value"} <= {c["label"] for c in told["candidates"]}
    table["level"] = 3 * inputs[:, 0] + 0.1 * walk
    assert gnomon.study(table, target="level", out=tmp_path / "cause.study", **SMALL).report["verdict"]["recommended"]


def test_three_hospitals_are_an_input_unless_new_sites_are_asked_for():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"patient_id": np.arange(240), "hospital": rng.choice(["north", "south", "west"], 240),
                          "age": rng.normal(60, 9, 240), "dose": rng.normal(size=240)})
    table["outcome"] = np.where(rng.random(240) < 0.4, "ill", "well")
    seen = whole_look(read_stage(table, Options(target=("outcome",)), {}, None), Options(target=("outcome",)))
    assert seen.policy.name == "stratified" and "hospital" in seen.data.inputs
    asked = Options(target=("outcome",), scope="new-site")
    assert str(whole_look(read_stage(table, asked, {}, None), asked).policy) == "group:hospital"
