"""An external test set judges, a study is upgraded by it without training again, and rows without target stay inputs only."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import gnomon
from gnomon.data.bundle import bundled
from gnomon.data.read.dispatch import read_data
from gnomon.errors import InputError
from gnomon.workflow._voice import Voice
from gnomon.workflow.look import read_stage, whole_look
from gnomon.workflow.options import Options

TARGET = "strength_MPa"
SMALL = {"target": TARGET, "only": ("ridge",), "examples": False, "budget": "60s"}


@pytest.fixture(scope="module")
def mixes() -> pd.DataFrame:
    table = pd.read_csv(bundled("concrete.csv")).drop_duplicates().sample(360, random_state=1).reset_index(drop=True)
    return table.drop_duplicates(subset=[c for c in table if c != TARGET]).reset_index(drop=True)


def events(folder, kind):
    return [e for e in map(json.loads, (folder / "ledger.jsonl").read_text().splitlines()) if e["event"] == kind]


def codes(report, start="VALID"):
    return {f["code"]: f for f in report["findings"] if f["code"].startswith(start)}


@pytest.fixture(scope="module")
def upgraded(mixes, tmp_path_factory):
    """A cross-validated study, then the same command with --test: (folder, report before, report after, what was said)."""
    place = tmp_path_factory.mktemp("upgrade")
    train, test = mixes[:200], pd.concat([mixes[200:250], mixes[:10]])
    train.to_csv(place / "mix.csv", index=False)
    test.to_csv(place / "other.csv", index=False)
    import os

    os.environ["GNOMON_STATE"] = str(place / "state")
    before = gnomon.study(place / "mix.csv", out=place / "mix.study", **SMALL).report
    runs = events(place / "mix.study", "run")
    said = []
    after = gnomon.study(place / "mix.csv", out=place / "mix.study", test=place / "other.csv",
                         voice=Voice(lambda stage, text: said.append((stage, text))), **SMALL).report
    assert events(place / "mix.study", "run") == runs, "nothing is trained again"
    return place, before, after, said


def test_a_test_set_upgrades_the_claim_and_reuses_every_run(upgraded):
    _, before, after, _ = upgraded
    assert before["ledger"]["test_openings"] == 0 and after["ledger"]["test_openings"] == 1
    scores = [{c["recipe"]["hash"]: c["valid"]["value"] for c in r["candidates"]} for r in (before, after)]
    assert scores[0] == scores[1]
    split = after["split"]
    assert split["policy"] == "external" and split["sizes"]["test"] == 60 and "other.csv" in split["for"]
    assert len(after["data"]["paths"]) == 2 and after["data"]["rows"] == 260
    assert after["verdict"]["headline"]["estimator"] == "holdout" and after["verdict"]["headline"]["n_rows"] == 60


def test_copies_of_test_rows_are_named_and_the_score_without_them_stands_beside(upgraded):
    _, _, after, said = upgraded
    copy = next(f for f in after["findings"] if f["code"] == "LOOK-DUPLICATE" and "test row" in f["claim"])
    assert copy["rows"][:10] == list(range(250, 260)) and sorted(copy["rows"][10:]) == list(range(10))
    found = codes(after)["VALID-TEST-COPIES"]
    assert found["values"]["n_rows"] == 50 and found["rows"] == list(range(250, 260))
    assert found["values"]["without_copies"] != found["values"]["all"] == after["verdict"]["headline"]["value"]
    assert any("10 of 60 test rows are copies" in text for stage, text in said if stage in ("LOOK", "NOTE"))


def test_resuming_is_the_same_opening_and_a_changed_test_file_is_noticed(upgraded):
    place, _, after, _ = upgraded
    again = gnomon.run(place / "mix.study").report
    assert again["verdict"] == after["verdict"] and again["ledger"]["test_openings"] == 1
    assert len(events(place / "mix.study", "opened")) == 1
    pd.read_csv(place / "other.csv")[:45].to_csv(place / "other.csv", index=False)
    said = []
    changed = gnomon.run(place / "mix.study", voice=Voice(lambda stage, text: said.append(text))).report
    assert any("the test set changed" in text and "60 rows then, 45" in text for text in said)
    assert codes(changed)["VALID-TEST-CHANGED"]["values"]["test_sets_before"] == 1
    assert len(events(place / "mix.study", "opened")) == 2
    assert str(place) not in (place / "mix.study" / "versions.json").read_text(), "paths are relative to the study"


def test_the_target_of_the_test_set_never_reaches_look_or_choice(mixes):
    """With the external targets permuted, everything but the verdict is the same."""
    train, test = mixes[:150], mixes[150:200].copy()
    other = test.assign(**{TARGET: np.random.default_rng(0).permutation(test[TARGET])})
    seen = [whole_look(read_stage(train, o, {}, None), o) for o in
            (Options(target=(TARGET,), test=table) for table in (test, other))]
    assert seen[0].findings == seen[1].findings and seen[0].parts.units.tolist() == seen[1].parts.units.tolist()
    assert seen[0].training.hash == seen[1].training.hash and seen[0].parts.test_hash != seen[1].parts.test_hash
    assert (seen[0].task.mean, seen[0].task.sd) == (seen[1].task.mean, seen[1].task.sd)


def test_clean_test_rows_draw_no_warning_and_shifted_ones_do(mixes, tmp_path):
    shuffled = mixes.sample(frac=1, random_state=0)
    clean = gnomon.study(shuffled[:240], test=shuffled[240:], out=tmp_path / "a.study", **SMALL).report
    mine = [f for f in clean["findings"] if f["grade"] in ("warn", "block") and "test" in f["claim"].lower()]
    assert not mine and codes(clean)["VALID-SHIFT"]["grade"] in ("fine", "note") and "VALID-OOD" not in codes(clean)
    column = mixes.columns[0]
    far = shuffled[240:].assign(**{column: lambda t: t[column] + 3 * mixes[column].std()})
    told = codes(gnomon.study(shuffled[:240], test=far, out=tmp_path / "b.study", **SMALL).report)["VALID-SHIFT"]
    assert told["grade"] == "warn" and told["columns"][0] == column and "Covariate shift" in told["claim"]


def test_a_column_that_the_test_set_lacks_is_named_and_is_no_shift(mixes, tmp_path):
    shuffled = mixes.sample(frac=1, random_state=0)
    column = mixes.columns[0]  # cement: without it the model errs more
    report = gnomon.study(shuffled[:240], test=shuffled[240:].drop(columns=column), out=tmp_path / "l.study", **SMALL).report
    told = codes(report)["VALID-SHIFT"]
    assert told["grade"] in ("fine", "note") and told["values"]["auc"] < 0.7 and "Concept shift" not in told["claim"]
    assert f"lack it: '{column}'" in told["claim"]
    strange = codes(report).get("VALID-OOD")  # the parts of a mix add up: cement filled in, they no longer do
    assert strange is None or f"They lack '{column}', filled in" in strange["claim"]
    (check,) = (c for c in report["checks"] if c["code"] == "VALID-SHIFT")
    assert check["ran"] and column in check["smallest_effect_it_would_find"]


def test_rows_far_from_all_training_rows_are_said_to_be_at_the_test_and_at_prediction(mixes, tmp_path):
    far = mixes[200:280].copy()
    far[list(mixes.columns[:-1])] += 6 * mixes[mixes.columns[:-1]].std()
    report = gnomon.study(mixes[:200], test=far, out=tmp_path / "far.study", **SMALL).report
    strange = codes(report)["VALID-OOD"]
    assert strange["grade"] == "warn" and "80 of 80 test rows" in strange["claim"]
    said = []
    for rows in (mixes[200:280], far):
        said.append([])
        gnomon.predict(tmp_path / "far.study", rows, voice=Voice(lambda stage, text: said[-1].append(text)))
    assert not any("rows are unlike" in t for t in said[0])
    assert any(t.startswith("80 of 80 rows are unlike the training rows (column 'ood'; about 5%") for t in said[1])


def test_rows_without_target_are_looked_at_listed_and_never_trained_on(mixes, tmp_path):
    train, extra = mixes[:150], mixes[150:220].drop(columns=TARGET)
    mixes[150:220].to_csv(tmp_path / "labelled.csv", index=False)
    extra.to_csv(tmp_path / "extra.csv", index=False)
    options = Options(target=(TARGET,), unlabelled=(str(tmp_path / "extra.csv"),))
    seen = whole_look(read_stage(train, options, {}, None), options)
    assert seen.parts.unlabelled.tolist() == list(range(150, 220)) and len(seen.data) == 220
    assert not np.isin(seen.parts.unlabelled, seen.parts.develop).any()
    with_target = Options(target=(TARGET,), unlabelled=(str(tmp_path / "labelled.csv"),))
    other = whole_look(read_stage(train, with_target, {}, None), with_target)
    assert np.isnan(other.task.truth(other.data, other.parts.unlabelled)).all()
    assert any("it is not used" in f.claim for f in other.findings)
    half = train.assign(**{TARGET: np.where(np.arange(150) % 5 == 0, np.nan, train[TARGET])})
    alone = whole_look(read_data(half, target=TARGET), Options(target=(TARGET,)))
    assert alone.parts.unlabelled.tolist() == list(range(0, 150, 5)), "rows of the file itself that lack a target"
    report = gnomon.study(train, unlabelled=extra + 1000, out=tmp_path / "u.study", **SMALL).report
    shift = codes(report)["VALID-SHIFT"]
    assert "not identifiable" in shift["claim"] and "rows without target" in shift["claim"] and shift["grade"] == "warn"


def test_the_same_patient_on_both_sides_is_said():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"patient": np.repeat(np.arange(60), 4), "a": rng.normal(size=240), "b": rng.normal(size=240),
                          "y": rng.normal(size=240)})
    options = Options(target=("y",), test=table[180:].assign(patient=np.repeat([*range(10), *range(100, 105)], 4), a=lambda t:
                                                            t["a"] + 1))
    seen = whole_look(read_stage(table[:180], options, {}, None), options)
    hit = next(f for f in seen.findings if f.code == "LOOK-GROUP" and "test row" in f.claim)
    assert hit.grade == "warn" and hit.rows_total == 40 and "10 of them" in hit.claim
    assert len(np.unique(seen.parts.units[seen.parts.test])) == 15 and seen.parts.fold_policy == "group:patient"


@pytest.mark.parametrize("table, code", [
    (lambda t: t.drop(columns=TARGET), "E-TEST-TARGET"),
    (lambda t: t.assign(**{TARGET: np.nan}), "E-TEST-TARGET"),
    (lambda t: t[[TARGET]], "E-COLUMNS-MISSING"),
])
def test_a_test_set_that_cannot_judge_is_refused(mixes, tmp_path, table, code):
    with pytest.raises(InputError) as error:
        gnomon.study(mixes[:100], test=table(mixes[100:140]), out=tmp_path / "x.study", **SMALL)
    assert error.value.code == code and "--test" in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("rows, why", [(40, "only one class is present"), (1, "only 1 row has a label")])
def test_test_rows_that_tell_nothing_leave_the_choice_to_the_folds(rows, why, tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_STATE", str(tmp_path / "state"))
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(160, 3)), columns=list("abc"))
    table["y"] = np.where(table["a"] + 0.5 * rng.normal(size=160) > 0, "ill", "well")
    report = gnomon.study(table[:120], test=table[120:120 + rows].assign(y="ill"), out=tmp_path / "o.study", target="y",
                          only=("logistic",), examples=False, budget="30s").report
    verdict, told = report["verdict"], codes(report)
    assert verdict["outcome"] == "undetermined" and verdict["judged"] is False and verdict["kind"] == "simple"
    assert why in verdict["claim"] and "(valid)" in verdict["claim"] and f"on {rows} row{'s'[:rows > 1]}:" in verdict["claim"]
    assert told["VALID-UNDETERMINED"]["grade"] == "warn" and not {"VALID-NO-SIGNAL", "VALID-TOO-GOOD"} & set(told)
    assert not any("other inputs" in a["do"] for a in report["advice"])
    assert any("judge it on rows that can tell" in a["do"] for a in report["advice"])
