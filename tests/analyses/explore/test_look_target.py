"""Look B: every finding with its fault planted, and clean data without it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from making import block, clean_table, codes_of, make

from gnomon.analyses.explore._kit import Grouping
from gnomon.analyses.explore._look import look_inputs, look_target
from gnomon.analyses.explore.leaks import leaks
from gnomon.analyses.explore.order_drift import order_drift

ALL = np.arange(600)


def look(data, target="y", rows=None, **options):
    return look_target(data, (target,), np.arange(len(data)) if rows is None else rows,
                       groups=look_inputs(data).groups, **options)


def of(looked, code):
    return [f for f in looked.findings if f.code == code]


def warned(looked, code):
    return [f for f in of(looked, code) if f.grade in ("warn", "block")]


def classes(frame, labels=("no", "yes")):
    frame = frame.copy()
    frame["y"] = np.where(frame["y"] > frame["y"].median(), labels[1], labels[0])
    return frame


@pytest.mark.parametrize("task", ["number", "classes"])
def test_clean_tables_draw_no_warning(task):
    alarms = 0
    for seed in range(5):
        frame = clean_table(300, seed)
        alarms += bool(codes_of(look(make(classes(frame) if task == "classes" else frame)), ("warn", "block")))
    assert alarms <= 1


def test_only_training_rows_are_seen():
    frame = clean_table()
    rows = np.arange(0, 600, 2)
    before = look(make(frame), rows=rows)
    frame.loc[1::2, "y"] = np.random.default_rng(0).normal(50, 9, 300)
    assert look(make(frame), rows=rows).findings == before.findings


@pytest.mark.parametrize(("make_leak", "excluded"), [
    (lambda y, r: 3 * y + 2, True), (lambda y, r: np.exp(y), True),
    (lambda y, r: y + r.normal(size=len(y)) * y.std() * 0.1, False),
    (lambda y, r: np.where(y > 0.4, "high", "low"), True)])
def test_leaks_of_a_number(make_leak, excluded):
    frame = clean_table()
    frame.insert(0, "lab", make_leak(frame["y"].to_numpy(), np.random.default_rng(0)))
    looked = look(make(frame))
    assert [f.columns for f in of(looked, "LOOK-LEAK")] == [("lab",)]
    assert ("lab" in looked.exclude) == excluded


@pytest.mark.parametrize(("make_leak", "excluded"), [
    (lambda y, r: np.where(y == "yes", 7.0, 3.0), True), (lambda y, r: np.where(y == "yes", "B", "A"), True),
    (lambda y, r: (y == "yes") * 1.0 + r.normal(size=len(y)) * 0.15, False),
    (lambda y, r: np.where(y == "yes", r.normal(size=len(y)), np.nan), True)])
def test_leaks_of_a_class(make_leak, excluded):
    frame = classes(clean_table())
    frame.insert(0, "lab", make_leak(frame["y"].to_numpy(), np.random.default_rng(0)))
    looked = look(make(frame))
    assert [f.columns for f in of(looked, "LOOK-LEAK")] == [("lab",)]
    assert ("lab" in looked.exclude) == excluded


def test_a_strong_but_honest_column_is_no_leak():
    frame = clean_table()
    frame["y"] = frame["score"] * 2 + np.random.default_rng(0).normal(0, 0.8, 600)
    assert not of(look(make(frame)), "LOOK-LEAK")
    frame["y"] = np.where(frame["score"] + np.random.default_rng(0).normal(0, 0.4, 600) > 0, "a", "b")
    assert not of(look(make(frame)), "LOOK-LEAK")


def test_a_column_that_tells_as_much_as_all_others_is_noted():
    """It may be a second measurement of the target or a good input: no warning, but a question."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 2))
    y = x.sum(axis=1)
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "lab": y + 0.35 * rng.normal(size=400), "y": y})
    (found,) = of(look(make(frame)), "LOOK-LEAK")
    assert found.columns == ("lab",) and found.grade == "note" and not look(make(frame)).exclude


def test_a_named_prediction_is_set_aside_only_when_it_goes_with_the_target():
    frame = clean_table()
    rng = np.random.default_rng(0)
    frame["predictions"] = frame["y"] * 0.6 + rng.normal(size=600) * frame["y"].std()
    assert "predictions" in look(make(frame)).exclude
    frame["predictions"] = rng.normal(size=600)
    assert not look(make(frame)).exclude


def test_a_column_recorded_afterwards_is_warned_of_and_kept():
    frame = classes(clean_table())
    rng = np.random.default_rng(0)
    frame["discharge_days"] = rng.gamma(3, 2, 600) + 3 * (frame["y"] == "yes")
    looked = look(make(frame))
    assert of(looked, "LOOK-LEAK")[0].columns == ("discharge_days",) and not looked.exclude


def test_row_order_and_file_types():
    frame = classes(clean_table()).sort_values("y", ignore_index=True)
    looked = look(make(frame))
    assert of(looked, "LOOK-LEAK")[0].grade == "note" and not looked.exclude
    frame["counter"] = np.arange(600.0) * 2
    assert "counter" in look(make(frame)).exclude
    shuffled = classes(clean_table())
    items = tuple(f"{i}.{'png' if y == 'yes' else 'jpg'}" for i, y in enumerate(shuffled["y"]))
    assert "type of the file" in of(look(make(shuffled, items=items)), "LOOK-LEAK")[0].claim
    assert not of(look(make(shuffled, items=tuple(f"{i}.png" for i in range(600)))), "LOOK-LEAK")
    named = tuple(f"{y}_{i}.png" for i, y in enumerate(shuffled["y"]))
    assert "names of the files" in of(look(make(shuffled, items=named)), "LOOK-LEAK")[0].claim


def test_metadata_of_the_image_files():
    rng = np.random.default_rng(0)
    y = rng.choice(["ill", "well"], 120)
    pixels = rng.integers(0, 255, (120, 1, 8, 8)).astype(np.uint8)
    width = np.where(rng.random(120) < 0.85, np.where(y == "ill", 800.0, 512.0), rng.choice([800.0, 512.0], 120))
    data = make({"image": pixels, "orig_w": width, "orig_h": rng.choice([512.0, 640.0], 120), "y": y})
    found = of(look(data), "LOOK-LEAK")
    assert found[0].columns == ("orig_w",)


def test_a_table_sorted_by_what_the_experiment_set_keeps_it():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"conc": np.arange(120) * 0.5})
    frame["y"] = 0.02 * frame["conc"] + 0.01 * rng.normal(size=120)
    looked = look(make(frame))
    assert not looked.exclude and ("conc",) in [f.columns for f in warned(looked, "LOOK-LEAK")]
    frame["conc"] = np.arange(120.0)
    assert not look(make(frame)).exclude, "the last input is never taken for a row counter"
    assert look(make(frame.assign(other=rng.normal(size=120)))).exclude.keys() == {"conc"}


def test_rows_sorted_by_many_small_classes_are_noticed():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"stamp": np.cumsum(rng.random(1000)), "x": rng.normal(size=1000),
                          "y": np.repeat([f"c{i:03d}" for i in range(200)], 5)})
    assert [f.columns for f in of(look(make(frame)), "LOOK-LEAK")] == [("stamp",)]
    assert not of(look(make(frame.sample(frac=1, random_state=0, ignore_index=True))), "LOOK-LEAK")


def wide(block, y):
    """A table of one block of numbers, (n, d), and a target."""
    from gnomon.data.read.dispatch import blocks

    return blocks(make({**{f"g{i}": column for i, column in enumerate(block.T)}, "y": y}))


def test_a_leak_inside_a_block_is_named_and_leaves_the_block_alone():
    rng = np.random.default_rng(0)
    block, noise = rng.normal(size=(120, 260)), rng.normal(size=120)
    y = block[:, 0] + noise
    block[:, 100], block[:, 50] = 0.5 * y, y + 0.2 * rng.normal(size=120)
    looked = look(wide(block, y))
    assert looked.exclude.keys() == {"g100"}
    assert {c for f in warned(looked, "LOOK-LEAK") for c in f.columns} == {"g100", "g50"}


def test_among_many_columns_and_few_rows_of_a_class_chance_makes_no_leak():
    for seed in range(2):
        rng = np.random.default_rng(seed)
        y = np.where(np.isin(np.arange(40), rng.choice(40, 3, replace=False)), "case", "ctrl")
        looked = look_target(wide((rng.random((40, 6000)) < 0.08).astype(float), y), ("y",), np.arange(40), groups={})
        assert not of(looked, "LOOK-LEAK") and not looked.exclude
        assert any("by chance one of 6,000 columns" in c.why_not for c in looked.checks if c.code == "LOOK-LEAK")


def test_rows_of_one_patient_are_no_evidence_for_each_other():
    """What is fixed for a patient (age, site, gaps) is as many observations as there are patients."""
    alarms = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        who = rng.permutation(np.repeat(np.arange(40), 20))
        frame = pd.DataFrame({"age": rng.normal(60, 10, 40).round(1)[who], "batch": rng.choice(["a", "b"], 40)[who],
                              "pulse": rng.normal(70, 10, 800), "y": rng.choice(["case", "ctrl"], 40)[who],
                              "years": np.where(rng.random(40) < 0.3, np.nan, rng.integers(1, 40, 40))[who]})
        groups = {"patient": Grouping(who, "patients", "group")}
        looked = look_target(make(frame), ("y",), np.arange(800), groups=groups)
        alarms += any(warned(looked, c) for c in ("LOOK-LEAK", "LOOK-CONFOUND", "LOOK-MISSING-INFORMATIVE"))
    assert alarms == 0
    frame["years"] = np.where(frame["y"] == "case", np.nan, frame["years"].fillna(3))
    frame["batch"] = np.where(frame["y"] == "case", "a", "b")
    looked = look_target(make(frame), ("y",), np.arange(800), groups=groups)
    assert warned(looked, "LOOK-CONFOUND") and {"years", "batch"} <= looked.exclude.keys(), "of 40 patients it stands"


def test_a_level_of_too_few_units_is_not_checked():
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(8), 50)
    frame = pd.DataFrame({"batch": np.array(list("aabbaabb"))[who], "x": rng.normal(size=400),
                          "gap": np.where(who % 4 < 2, np.nan, rng.normal(size=400)),
                          "y": np.where(who % 4 < 2, "case", "ctrl")})
    looked = look_target(make(frame), ("y",), np.arange(400), groups={"animal": Grouping(who, "animals", "group")})
    for code in ("LOOK-CONFOUND", "LOOK-MISSING-INFORMATIVE"):
        why = [c.why_not for c in looked.checks if c.code == code]
        assert not of(looked, code) and any("fewer than 6 independent units" in w for w in why)


def test_only_names_whose_word_goes_with_the_target_are_recorded_afterwards():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"post_code": rng.integers(1000, 9999, 400) + 0.0, "cause": rng.normal(size=400),
                          "lab_result": rng.normal(size=400)})
    frame["y"] = frame["lab_result"] + rng.normal(size=400)
    assert [f.columns for f in of(look(make(frame)), "LOOK-LEAK")] == [("lab_result",)]


@pytest.mark.parametrize("count", [60, 200])
def test_a_near_copy_of_many_classes_is_seen(count):
    rng = np.random.default_rng(0)
    y = rng.integers(0, count, 4000)
    near = np.where(rng.random(4000) < 0.03, rng.integers(0, count, 4000), y)
    for code in (np.array([f"k{i}" for i in near]), near + 0.0):
        frame = pd.DataFrame({"code": code, "x": rng.normal(size=4000), "y": [f"c{i}" for i in y]})
        assert [f.columns for f in warned(leaks(make(frame), "y", np.arange(4000), groups={}), "LOOK-LEAK")] == [("code",)]


def test_one_gene_is_no_leak_where_the_others_together_tell_as_much():
    """Each of 600 others shifts a little: trees on a few of them at a time miss what a linear model of all reads."""
    rng = np.random.default_rng(1)
    y = rng.permutation(80) % 2
    genes = 0.2 * (2 * y - 1)[:, None] + rng.normal(size=(80, 600))
    one = {"gene": 9.0 * np.where(np.arange(80) < 2, 1 - y, y), "y": np.where(y == 1, "AML", "ALL")}
    for grade, others in (("note", genes), ("warn", rng.permutation(genes))):
        looked = leaks(make({**one, "genes": block(others.astype(np.float32))}), "y", np.arange(80), groups={})
        assert [f.grade for f in of(looked, "LOOK-LEAK") if "gene" in f.columns] == [grade]


def test_replicates_and_conflicts():
    frame = clean_table(300)
    twice = pd.concat([frame, frame.iloc[:40]], ignore_index=True)
    rng = np.random.default_rng(0)
    twice.loc[300:, "y"] += rng.normal(0, 0.14, 40)
    looked = look(make(twice))
    assert of(looked, "LOOK-REPLICATE") and not of(looked, "LOOK-CONFLICT")
    assert 0.06 < looked.facts["replicate_sd"] < 0.16  # the truth is 0.14 / sqrt(2)
    twice.loc[[305, 311], "y"] += 9
    assert set(of(look(make(twice)), "LOOK-CONFLICT")[0].rows) == {5, 305, 11, 311}
    assert not of(look(make(frame)), "LOOK-REPLICATE")


def test_a_column_of_groups_that_models_read_tells_inputs_apart():
    rng = np.random.default_rng(0)
    place, dose = np.arange(900) % 12, np.array([1, 2, 5, 10])[np.arange(900) // 12 % 4]
    frame = pd.DataFrame({"hospital": np.array([f"H{i}" for i in range(12)])[place], "dose": dose,
                          "y": place * 10 + dose + rng.normal(0, 0.1, 900)})
    data = make(frame)
    looked = look_target(data, ("y",), np.arange(900), groups={"hospital": Grouping(place, "a place", "group")})
    assert not of(looked, "LOOK-CONFLICT") and 0.05 < looked.facts["replicate_sd"] < 0.15  # the truth is 0.1


def test_rows_equal_by_chance_neither_repeat_nor_contradict_each_other():
    """Patients of a few coarse columns: those with the same entries are different patients."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.integers(0, 3, 300).astype(float) for name in "abcd"})
    number, label = rng.normal(size=300), rng.choice(["well", "ill"], 300)
    for y in (number, label):
        looked = look(make(frame.assign(y=y)))
        assert not of(looked, "LOOK-CONFLICT") and not of(looked, "LOOK-REPLICATE") and looked.facts["repeats"] == 0
        assert {c.code: c.ran for c in looked.checks}["LOOK-CONFLICT"] is False


def test_rows_without_their_text_do_not_contradict_each_other():
    rng = np.random.default_rng(0)
    comment = [" ".join(rng.choice([f"w{i}" for i in range(300)], 12)) if i % 3 else None for i in range(600)]
    frame = pd.DataFrame({"comment": comment, "y": rng.choice(["a", "b"], 600)})
    looked = look(make(frame, kinds={"comment": "text"}))
    assert not of(looked, "LOOK-CONFLICT") and not of(looked, "LOOK-REPLICATE")


def test_conflicting_classes():
    frame = classes(clean_table(300))
    twice = pd.concat([frame, frame.iloc[:12]], ignore_index=True)
    assert not of(look(make(twice)), "LOOK-CONFLICT")
    twice.loc[300, "y"] = "no" if twice.loc[0, "y"] == "yes" else "yes"
    assert of(look(make(twice)), "LOOK-CONFLICT")[0].rows == (0, 300)


def blobs(n=600, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 6)) + np.eye(3, 6)[label] * 5
    return pd.DataFrame(x).add_prefix("x"), np.array(["a", "b", "c"])[label], rng


def test_wrong_labels_are_listed_by_row():
    frame, label, rng = blobs()
    assert not warned(look(make(frame.assign(y=label))), "LOOK-LABEL")
    wrong = np.sort(rng.choice(600, 30, replace=False))
    label[wrong] = np.where(label[wrong] == "a", "b", "a")
    found = of(look(make(frame.assign(y=label))), "LOOK-LABEL")[0]
    hit = len(set(found.rows) & set(wrong.tolist()))
    assert hit >= 0.9 * len(wrong) and hit >= 0.9 * len(found.rows) and 0.03 < found.values["rate"] < 0.07


def test_overlapping_classes_are_listed_as_hard_cases_not_as_wrong_labels():
    alarms = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(300, 5))
        y = np.where(rng.random(300) < 1 / (1 + np.exp(-1.5 * x[:, 0] - x[:, 1])), "a", "b")
        looked = look(make(pd.DataFrame(x).add_prefix("x").assign(y=y)))
        alarms += bool(warned(looked, "LOOK-LABEL"))
        assert all("hard cases" in f.claim for f in of(looked, "LOOK-LABEL") if f.grade == "note")
    assert alarms <= 1


def test_confident_joint_agrees_with_cleanlab():
    cleanlab = pytest.importorskip("cleanlab")
    from gnomon.analyses.explore._lapses import confident_joint

    rng = np.random.default_rng(0)
    proba = rng.dirichlet([0.6] * 4, 800)
    labels = np.array([rng.choice(4, p=p) for p in proba])
    theirs = cleanlab.filter.find_label_issues(labels, proba, filter_by="confident_learning", n_jobs=1)
    own = confident_joint(proba, labels)
    assert (own == theirs).mean() > 0.99


def test_wrong_targets_of_a_regression():
    frame = clean_table()
    frame["y"] = frame["score"] * 3 + 0.1 * frame["height"] + np.random.default_rng(0).normal(0, 0.3, 600)
    assert "warn" not in {f.grade for f in of(look(make(frame)), "LOOK-LABEL")}
    frame.loc[[10, 20, 30], "y"] += 30
    found = of(look(make(frame)), "LOOK-LABEL")[0]
    first = found.values["first"]  # at most half are others
    assert found.grade == "warn" and {10, 20, 30} <= set(found.rows[:first]) and first <= 6


def test_gaps_that_depend_on_the_target():
    frame = classes(clean_table())
    rng = np.random.default_rng(0)
    frame.loc[rng.random(600) < 0.2, "dose"] = np.nan
    assert not of(look(make(frame)), "LOOK-MISSING-INFORMATIVE")
    frame.loc[(frame["y"] == "yes") & (rng.random(600) < 0.4), "mass"] = np.nan
    assert of(look(make(frame)), "LOOK-MISSING-INFORMATIVE")[0].columns == ("mass",)


def test_confounding_with_a_scanner():
    frame = classes(clean_table())
    rng = np.random.default_rng(0)
    frame["scanner"] = rng.choice(["s1", "s2"], 600)
    assert not of(look(make(frame)), "LOOK-CONFOUND")
    frame["scanner"] = np.where(rng.random(600) < 0.8, np.where(frame["y"] == "yes", "s1", "s2"), frame["scanner"])
    found = of(look(make(frame)), "LOOK-CONFOUND")[0]
    assert found.grade == "warn" and found.columns == ("scanner",)


def test_strength_of_association_is_bergsmas():
    from gnomon.analyses.explore._leaks import association

    a = np.repeat([0, 1], 50)
    assert association(a, a)[0] == pytest.approx(1.0)
    independent = np.tile([0, 1], 50)
    assert association(a, independent) == (0.0, pytest.approx(1.0))


def test_imbalance_and_small():
    frame = clean_table(1500)
    assert not codes_of(look(make(classes(frame)))) & {"LOOK-IMBALANCE", "LOOK-SMALL"}
    frame["y"] = np.where(frame["y"] > frame["y"].quantile(0.98), "rare", "common")
    assert of(look(make(frame)), "LOOK-IMBALANCE")[0].grade == "warn"
    assert of(look(make(clean_table(40))), "LOOK-SMALL")[0].grade == "warn"
    assert of(look(make(clean_table(400))), "LOOK-SMALL")[0].grade == "note"


def test_the_rarest_class_is_named():
    frame = clean_table(400)
    frame["y"] = ["odd"] + ["rare"] * 9 + ["common"] * 390
    claim = of(look(make(frame)), "LOOK-SMALL")[0].claim
    assert claim.startswith("class 'odd' of 'y' has 1 row (and 1 other under 10) to learn from")


def test_small_counts_units_and_not_rows():
    frame = clean_table(1200)
    frame["patient_id"] = np.repeat(np.arange(30), 40)
    found = of(look(make(frame)), "LOOK-SMALL")[0]
    assert found.grade == "warn" and found.values["training_units"] == 30


def test_numbers_have_no_fewest_of_a_class():
    assert of(look(make(clean_table(400))), "LOOK-SMALL")[0].values == {"training_units": 400}
    frame = classes(clean_table(400))
    fewest = frame["y"].value_counts().min()
    assert of(look(make(frame)), "LOOK-SMALL")[0].values == {"training_units": 400, "fewest_of_a_class": fewest}


def test_a_ceiling_and_two_units_in_the_target():
    frame = clean_table()
    assert not codes_of(look(make(frame))) & {"LOOK-CENSORED", "LOOK-UNITS"}
    frame["y"] = np.minimum(frame["y"], frame["y"].quantile(0.8))
    assert of(look(make(frame)), "LOOK-CENSORED")[0].values["end"] == "largest"
    frame = clean_table().rename(columns={"y": "pIC50"})
    frame["pIC50"] = 6 + frame["pIC50"].rank(pct=True) * 3
    frame.loc[:20, "pIC50"] = 10 ** (9 - frame.loc[:20, "pIC50"])
    looked = look(make(frame, roles={"pIC50": "target"}), "pIC50")
    assert of(looked, "LOOK-UNITS")


def test_plain_concentrations_among_logarithms_are_named_by_row():
    values = np.random.default_rng(0).normal(6, 1, 400)
    values[:7] = np.linspace(20, 9000, 7)
    hit = of(look(make({"x": np.arange(400.0), "pIC50": values}, roles={"pIC50": "target"}), "pIC50"), "LOOK-UNITS")[0]
    assert hit.rows == tuple(range(7)) and hit.values["rows"] == 7


def test_rows_that_name_no_unit_count_as_units_as_they_do_to_the_verdict():
    who = pd.Series([f"P{i % 5}" if i < 150 else None for i in range(200)])
    rng = np.random.default_rng(0)
    data = make({"patient_id": who, "x": rng.normal(size=200), "y": rng.normal(size=200)}, roles={"patient_id": "group",
                                                                                               "y": "target"})
    told = of(look(data), "LOOK-SMALL")[0]
    assert told.values["training_units"] == 55 and "55 units ('patient_id'; 50 rows without one)" in told.claim


def test_an_empty_column_of_units_is_said_to_be_empty():
    from gnomon.analyses.explore.groups import groups
    from gnomon.analyses.validate._findings import unnamed_units

    data = make({"g": pd.Series([None] * 60, dtype=object), "x": np.arange(60.0)}, roles={"g": "group"})
    assert not [f for f in groups(data).findings if f.code == "LOOK-GROUP"]
    told = unnamed_units("g", 60, 60)
    assert told.code == "LOOK-GROUP" and "'g' is empty: each row counts as a unit of its own" in told.claim
    assert "40 of 60 rows name no 'g'" in unnamed_units("g", 40, 60).claim


def test_drift_along_the_rows_within_classes():
    frame = classes(clean_table())
    assert not of(look(make(frame)), "LOOK-DRIFT")
    frame.loc[300:, "height"] += 8
    assert of(look(make(frame)), "LOOK-DRIFT")[0].columns == ("height",)
    by_class = classes(clean_table()).sort_values("y", ignore_index=True)  # sorted by class: no drift within it
    assert not of(look(make(by_class)), "LOOK-DRIFT")


def test_rare_classes_are_no_drift_along_the_rows():
    rng = np.random.default_rng(0)
    y = np.concatenate([np.repeat("big", 400), np.repeat([f"c{i}" for i in range(80)], 5)])
    x = np.where(y == "big", 0, 2) + rng.normal(size=800)
    at = rng.permutation(800)
    looked = order_drift(make({"x": x[at], "y": y[at]}), "y", np.arange(800), groups={})
    assert not looked.findings and looked.checks[0].ran
    rare = np.flatnonzero(y[at] != "big")
    assert not order_drift(make({"x": x[at], "y": y[at]}), "y", rare, groups={}).checks[0].ran


def test_time_to_event():
    frame = clean_table()
    rng = np.random.default_rng(0)
    frame["survival_days"] = rng.gamma(2, 100, 600)
    roles = {"survival_days": "target", "y": "ignore"}
    assert [f.grade for f in of(look(make(frame, roles=roles), "survival_days"), "LOOK-EVENT")] == ["note"]
    frame["event"] = np.where(rng.random(600) < 0.7, "yes", "no")
    looked = look(make(frame, roles=roles), "survival_days")
    told = of(looked, "LOOK-EVENT")[0]
    censored = int((frame["event"] == "no").sum())
    assert told.grade == "block" and told.values["censored"] == censored and f"{censored} of 600" in told.claim
    assert "event" in looked.exclude, "the indicator is recorded with the time: it cannot be an input"
    roles = {"event": "target", "y": "ignore"}
    looked = look(make(frame, roles=roles), "event")
    assert of(looked, "LOOK-EVENT")[0].grade == "warn" and "survival_days" in looked.exclude


@pytest.mark.parametrize("time, event, values, happened", [
    ("time", "status", (1, 2), 2), ("os_months", "os_status", ("LIVING", "DECEASED"), "DECEASED"),
    ("follow_up", "censored", (0, 1), 0), ("time", "censor", ("censored", "event"), "event"),
    ("survival_days", "status", ("died", "survived"), "died"),
    ("pfs", "pfs_status", ("0:DiseaseFree", "1:Recurred"), "1:Recurred"), ("duration", "event", (0, 1), 1),
    ("survival_days", "vital_status", ("LIVING", "0:DECEASED"), "0:DECEASED"), ("survival", "alive", ("yes", "no"), "no"),
    ("days_to_relapse", "relapse", (False, True), True), ("futime", "fustat", (0, 1), 1),
])
def test_which_value_is_the_event(time, event, values, happened):
    frame, rng = clean_table(), np.random.default_rng(1)
    had = rng.random(600) < 0.8
    frame[time] = rng.permutation(600) + 0.5
    frame[event] = np.where(had, np.array([happened] * 600, dtype=object),
                            np.array([next(v for v in values if v != happened)] * 600, dtype=object))
    looked = look(make(frame.infer_objects(), roles={time: "target", "y": "ignore"}), time)
    told = of(looked, "LOOK-EVENT")[0]
    assert told.values["censored"] == int((~had).sum()) and told.columns == (time, event)


@pytest.mark.parametrize("time, event, values, told", [
    ("duration", "marital_status", ("married", "single"), 0), ("duration", "loan_status", ("approved", "rejected"), 0),
    ("duration", "status", ("open", "shut"), 0), ("duration", "status", (0, 1), 1),
    ("survival_days", "status", ("mort", "vivant"), 1), ("follow_up", "event", (3, 7), 1),
])
def test_names_or_values_that_do_not_tell_the_event_set_nothing_aside(time, event, values, told):
    frame, rng = clean_table(), np.random.default_rng(1)
    frame[time], frame[event] = rng.permutation(600) + 0.5, np.array(values, dtype=object)[rng.integers(0, 2, 600)]
    for target in (time, event):
        looked = look(make(frame.infer_objects(), roles={target: "target", "y": "ignore"}), target)
        assert [f.grade for f in of(looked, "LOOK-EVENT")] == ["note"] * told
        assert not {time, event} & set(looked.exclude)


def test_times_without_follow_up_are_no_time_to_event():
    frame, rng = clean_table(), np.random.default_rng(2)
    frame["response_time_ms"] = rng.gamma(2, 100, 600)
    frame["status"] = rng.choice(["a", "b"], 600)
    assert not of(look(make(frame, roles={"response_time_ms": "target", "y": "ignore"}), "response_time_ms"), "LOOK-EVENT")
    assert not of(look(make(frame.drop(columns="response_time_ms"), roles={"status": "target", "y": "ignore"}), "status"),
                  "LOOK-EVENT")


def test_two_targets_each_get_their_look():
    frame = clean_table()
    frame["z"] = frame["y"] * 2 + 1
    data = make(frame, roles={"z": "target"})
    looked = look_target(data, ("y", "z"), ALL, groups={})
    assert sum(c.code == "LOOK-LABEL" for c in looked.checks) == 2


def test_acceptance_esol_crispr_bace_hannover(shared_data):
    esol = pd.read_csv(shared_data / "molecules_esol" / "esol.csv").drop(columns=["smiles", "Compound ID"])
    target = "measured log solubility in mols per litre"
    def leaks_only(frame: pd.DataFrame, target: str) -> object:
        return leaks(make(frame, roles={target: "target"}), target, np.arange(len(frame)), groups={})

    assert set(leaks_only(esol, target).exclude) == {"ESOL predicted log solubility in mols per litre"}
    guides = pd.read_csv(shared_data / "crispr_azimuth" / "azimuth.csv").drop(columns=["30mer"])
    looked = leaks_only(guides, "score_drug_gene_rank")
    assert {"predictions", "score_drug_gene_threshold"} == set(looked.exclude)
    bace = pd.read_csv(shared_data / "molecules_bace" / "bace.csv")[["Class", "pIC50"]]
    assert "Class" in leaks_only(bace, "pIC50").exclude
    bace["Class"] = bace["Class"].map({0: "no", 1: "yes"})
    assert "pIC50" in leaks_only(bace, "Class").exclude
    chest = pd.read_csv(shared_data / "images_covid_hannover" / "patients.csv")
    chest["icu"] = np.where(chest["icu_admission_offset"].notna(), "yes", "no")
    looked = look(make(chest, roles={"icu": "target", "image_id": "identifier"}), "icu")
    named = {c for f in of(looked, "LOOK-LEAK") for c in f.columns}
    assert {c for c in chest if c.endswith("_offset")} <= named


def test_real_clean_tables_draw_no_leak(shared_data):
    for name in ("concrete", "energy", "yacht"):
        frame = pd.read_csv(shared_data / "tables_uci" / f"{name}.csv")
        target = frame.columns[-1]
        looked = look(make(frame, roles={target: "target"}), target)
        assert not of(looked, "LOOK-LEAK") and not looked.exclude, name
