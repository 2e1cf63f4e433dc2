"""Look A: every finding with its fault planted, and clean data without it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from making import block, clean_table, codes_of, column, make

from gnomon.analyses.explore._look import look_inputs, map_points
from gnomon.analyses.explore.constants import constants
from gnomon.analyses.explore.drift import drift
from gnomon.analyses.explore.duplicates import duplicates
from gnomon.analyses.explore.groups import from_files, groups
from gnomon.analyses.explore.identifiers import identifiers
from gnomon.analyses.explore.kind_doubts import kind_doubts
from gnomon.analyses.explore.missing_values import missing_code, missing_values
from gnomon.analyses.explore.mixed_units import mixed_units
from gnomon.analyses.explore.near_duplicates import near_duplicates
from gnomon.analyses.explore.outliers import outliers
from gnomon.analyses.explore.preprocessed import preprocessed
from gnomon.analyses.explore.raw_counts import raw_counts
from gnomon.analyses.explore.scaffolds import scaffolds
from gnomon.analyses.explore.sizes import sizes
from gnomon.analyses.explore.time_order import time_order
from gnomon.analyses.explore.unit_of_analysis import unit_of_analysis


@pytest.fixture(scope="module")
def clean():
    return make(clean_table())


def grades(looked):
    return {f.code: f.grade for f in looked.findings}


def test_clean_tables_draw_no_warning():
    """The law of the house on one small draw; the measured rate over 600 tables is in the benchmarks."""
    alarms = sum(bool(codes_of(look_inputs(make(clean_table(400, seed))), ("warn", "block"))) for seed in range(12))
    assert alarms <= 1


def test_look_inputs_never_sees_the_target(clean):
    frame = clean_table()
    frame["y"] = np.random.default_rng(1).permutation(frame["y"])
    one, other = look_inputs(clean), look_inputs(make(frame))
    assert one.findings == other.findings and one.exclude == other.exclude
    frame["y"] = 7.0  # constant: would draw LOOK-CONSTANT if it were seen
    assert look_inputs(make(frame)).findings == one.findings


def test_same_seed_same_findings(clean):
    assert look_inputs(clean, seed=3).findings == look_inputs(clean, seed=3).findings


def test_ten_copies_in_a_table_are_found_row_by_row():
    frame = clean_table(500)
    rows = np.random.default_rng(0).choice(500, 10, replace=False)
    looked = duplicates(make(pd.concat([frame, frame.iloc[rows]], ignore_index=True)))
    assert grades(looked) == {"LOOK-DUPLICATE": "warn"}
    assert set(looked.findings[0].rows) == set(rows.tolist()) | set(range(500, 510))
    codes = looked.groups["duplicates"].codes
    assert (codes[rows] == codes[500:]).all() and len(np.unique(codes)) == 500
    assert not duplicates(make(frame)).findings


def test_a_single_copy_is_kept_together_without_a_warning():
    """Under 1 % of the rows no score can move by more, whatever the split: a note; at 1 % it is a warning."""
    frame = clean_table(700)
    looked = duplicates(make(pd.concat([frame, frame.iloc[[5]]], ignore_index=True)))
    assert grades(looked) == {"LOOK-DUPLICATE": "note"} and looked.findings[0].rows == (5, 700)
    assert looked.findings[0].values["unexpected"] and (looked.groups["duplicates"].codes[[5, 700]] == 5).all()
    assert grades(duplicates(make(pd.concat([frame, frame.iloc[:8]], ignore_index=True)))) == {"LOOK-DUPLICATE": "warn"}
    coarse = duplicates(make({name: np.random.default_rng(0).integers(0, 9, 300) for name in "abc"}))
    assert not coarse.findings[0].values["unexpected"]


def test_rows_are_positions_in_the_input_as_read():
    frame = clean_table(60)
    frame = pd.concat([frame, frame.iloc[[3]]], ignore_index=True)
    looked = duplicates(make(frame, position=np.arange(61) * 2 + 5))
    assert looked.findings[0].rows == (11, 125)


def test_chance_repeats_of_coarse_columns_are_a_note_only():
    rng = np.random.default_rng(0)
    looked = duplicates(make({name: rng.integers(0, 9, 300) for name in "abc"}))
    assert grades(looked) == {"LOOK-DUPLICATE": "note"}


def cases() -> dict[str, pd.DataFrame]:
    """Tables of which each row is a specimen of its own, though most have the entries of another."""
    rng = np.random.default_rng(5)
    latent = rng.normal(size=(1000, 1))
    kinds = {"sex": ["m", "f"], "smoker": ["yes", "no"], "stage": ["I", "II", "III"], "age": ["<50", "50-70", ">70"]}
    patients = pd.DataFrame({name: rng.choice(levels, 300) for name, levels in kinds.items()})
    fares = rng.choice(4, 2000, p=[0.15, 0.13, 0.32, 0.4])
    return {"patients": patients, "one hot": pd.get_dummies(patients).astype(float),
            "answers": pd.DataFrame(rng.integers(0, 2, (150, 3))).add_prefix("q"),
            "related": pd.DataFrame(np.round(0.85 * latent + 0.5 * rng.normal(size=(1000, 6)))).add_prefix("x"),
            "rounded": pd.DataFrame(np.round(rng.normal(size=(150, 4)))).add_prefix("x"),
            "passengers": pd.DataFrame({"fare": fares, "woman": rng.random(2000) < np.array([0.45, 0.37, 0.28, 0.03])[fares],
                                        "child": rng.random(2000) < np.array([0.02, 0.08, 0.11, 0])[fares]}).astype(float),
            "one column": pd.DataFrame({"x": np.round(rng.normal(size=200), 1)})}


@pytest.mark.parametrize("name", cases())
def test_rows_equal_by_chance_stay_units_of_their_own(name):
    looked = duplicates(make(cases()[name]))
    assert grades(looked) == {"LOOK-DUPLICATE": "note"} and "by chance" in looked.findings[0].claim and not looked.groups


def test_designs_copies_and_a_file_in_itself_again_are_no_chance():
    """Repeats of a grid are too even for chance, copies of fine numbers too many, and of a table twice all counts are even."""
    rng = np.random.default_rng(1)
    grid = pd.DataFrame([(a, b) for a in range(3) for b in range(3)] * 5, columns=["heat", "acid"]).astype(float)
    fine, many = (pd.DataFrame(v).add_prefix("x") for v in (rng.normal(size=(300, 4)), rng.integers(0, 6, (1000, 6))))
    fine["sex"] = rng.integers(0, 2, 300).astype(float)
    cases = {"grid": grid, "grid with gaps": grid.sample(42, random_state=1), "fine": pd.concat([fine, fine.iloc[:10]]),
             "coarse": pd.concat([many, many.iloc[:100]]), "twice": pd.concat([many.iloc[:, :3]] * 2),
             "one fine column": pd.concat([fine[["x0"]], fine[["x0"]].iloc[:10]])}
    for name, frame in cases.items():
        looked = duplicates(make(frame.reset_index(drop=True)))
        assert "by chance" not in looked.findings[0].claim and "duplicates" in looked.groups, name


def test_copies_in_a_single_block_of_numbers_are_no_chance():
    values = np.random.default_rng(0).normal(size=(200, 30)).astype(np.float32)
    looked = duplicates(make({"spectrum": block(np.concatenate([values, values[:5]]))}))
    assert grades(looked) == {"LOOK-DUPLICATE": "warn"} and looked.groups


def test_copies_of_molecules_in_other_words():
    pytest.importorskip("rdkit")
    smiles = ["CCO", "OCC", "c1ccccc1", "C1=CC=CC=C1", "CC(=O)O", "CCN", "CCCC", "CCCCC", "CCCCCC", "CCOC"]
    looked = duplicates(make({"smiles": smiles}, kinds={"smiles": "molecule"}))
    assert looked.findings[0].rows == (0, 1, 2, 3)


def test_equal_molecules_are_copies_beyond_the_number_that_is_parsed():
    pytest.importorskip("rdkit")
    smiles = ["C1=CC=CC=C1O", *("C" * i + "O" for i in range(2, 60)), "C1=CC=CC=C1O"]
    data = make({"smiles": np.array(smiles, dtype=object)}, kinds={"smiles": "molecule"})
    short = duplicates(data, seconds=0.01)
    assert short.facts["duplicate_rows"] == 1 and set(short.findings[0].rows) == {0, 59}
    assert "25 of 59 distinct texts" in short.checks[0].smallest_effect_it_would_find
    assert "distinct texts" not in duplicates(data).checks[0].smallest_effect_it_would_find


@pytest.mark.parametrize("kind", ["text", "sequence"])
def test_rows_without_their_specimen_are_no_copies_of_each_other(kind):
    rng = np.random.default_rng(0)
    letters = list("acdefghiklmnpqrstvwy ") if kind == "text" else list("ACGT")
    texts = ["".join(rng.choice(letters, 60)) if i % 2 else None for i in range(300)]
    data = make({"note": np.array(texts, dtype=object), "x": rng.normal(size=300)}, kinds={"note": kind},
                details={"note": "DNA"})
    for looked in (duplicates(data), near_duplicates(data)):
        assert not looked.findings and not looked.groups and not looked.facts.get("variant_library")


def test_copies_of_images():
    pixels = np.random.default_rng(0).integers(0, 255, (40, 1, 12, 12)).astype(np.uint8)
    pixels[39] = pixels[4]
    assert duplicates(make({"image": pixels})).findings[0].rows == (4, 39)


def test_near_copies_of_rows():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(600, 8))
    planted = values.copy()
    planted[590:] = planted[:10] + rng.normal(size=(10, 8)) * 1e-3
    frame = pd.DataFrame(planted).add_prefix("x")
    looked = near_duplicates(make(frame))
    assert grades(looked) == {"LOOK-NEAR-DUPLICATE": "warn"}
    assert set(looked.findings[0].rows) == set(range(10)) | set(range(590, 600))
    assert not near_duplicates(make(pd.DataFrame(values).add_prefix("x"))).findings


def test_near_copies_of_images():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(300, 1, 8, 8)).repeat(4, axis=2).repeat(4, axis=3)
    pixels = np.clip(base * 40 + 128, 0, 255).astype(np.uint8)
    assert not near_duplicates(make({"image": pixels})).findings
    brighter = np.clip(pixels[:8] * 0.93 + 9 + rng.normal(size=pixels[:8].shape) * 2, 0, 255).astype(np.uint8)
    pixels[292:] = brighter
    assert set(near_duplicates(make({"image": pixels})).findings[0].rows) == set(range(8)) | set(range(292, 300))


def random_sequences(count, length, seed=0, letters="ACGT"):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(letters), length)) for _ in range(count)]


def test_near_copies_and_families_of_sequences():
    sequences = random_sequences(200, 120)
    kinds = {"kinds": {"seq": "sequence"}, "details": {"seq": "DNA"}}
    assert not near_duplicates(make({"seq": sequences}, **kinds)).groups
    for i in range(6):  # one letter changed, and every 14th: both are within a tenth, so near copies
        sequences[190 + i] = sequences[i][:60] + ("A" if sequences[i][60] != "A" else "C") + sequences[i][61:]
    sequences[199] = "".join("T" if j % 14 == 7 else c for j, c in enumerate(sequences[50]))
    looked = near_duplicates(make({"seq": sequences}, **kinds))
    assert set(looked.findings[0].rows) == {*range(6), *range(190, 196), 50, 199}
    family = looked.groups["family"]
    assert family.kind == "cluster" and family.codes[50] == family.codes[199] and family.codes[0] == family.codes[190]


def test_a_library_of_variants_is_not_tied_together():
    parent, rng = random_sequences(1, 80)[0], np.random.default_rng(1)
    variants = []
    for _ in range(120):
        place = int(rng.integers(0, 80))
        variants.append(parent[:place] + rng.choice(list("ACGT")) + parent[place + 1:])
    looked = near_duplicates(make({"seq": variants}, kinds={"seq": "sequence"}, details={"seq": "DNA"}))
    assert grades(looked) == {"LOOK-NEAR-DUPLICATE": "note"} and not looked.groups
    part = variants[:60] + random_sequences(70, 80)
    looked = near_duplicates(make({"seq": part}, kinds={"seq": "sequence"}, details={"seq": "DNA"}))
    assert looked.findings[0].claim.startswith("47% of the sequences in 'seq' are variants of one parent")


def test_near_copies_of_texts():
    words = random_sequences(400, 5, letters="abcdefgh")
    texts = [" ".join(np.random.default_rng(i).choice(words, 40)) for i in range(100)]
    assert not near_duplicates(make({"text": texts}, kinds={"text": "text"})).findings
    for i in range(5):
        texts[95 + i] = texts[i] + " more"
    assert len(near_duplicates(make({"text": texts}, kinds={"text": "text"})).findings[0].rows) == 10


def test_salts_and_stereo_are_near_copies():
    pytest.importorskip("rdkit")
    smiles = [f"{'C' * i}c1ccc(N{'C' * j})cc1" for i in range(6) for j in range(6)]
    smiles += ["CCc1ccc(NCC)cc1.Cl", "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"]
    looked = near_duplicates(make({"smiles": smiles}, kinds={"smiles": "molecule"}))
    assert {14, 36, 37, 38} <= set(looked.findings[0].rows)


def test_identifier_and_constant_are_set_aside(clean):
    frame = clean_table()
    frame["record"] = np.random.default_rng(0).permutation(len(frame)) + 1000
    frame["tag"] = [f"s{i}" for i in range(len(frame))]
    frame["room"] = "here"
    looked = look_inputs(make(frame))
    assert {"record", "tag", "room"} == set(looked.exclude)
    assert {"LOOK-ID", "LOOK-CONSTANT"} <= codes_of(looked)
    assert not identifiers(clean).findings and not constants(clean).findings


def test_columns_without_a_value_are_named_though_reading_set_them_aside():
    gone = np.full(60, np.nan)
    values = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    values[:, 1], values[:, 2] = np.nan, 3
    data = make({"left": gone, "read": gone, "kept": values[:, 0], "genes": block(values)}, roles={"read": "ignore"})
    said = [f.claim for f in constants(data).findings]
    assert said == ["'read' and 'left' hold no value in any row", "1 column of the number block does not vary",
                    "1 column of the number block holds no value"]
    assert set(constants(data).exclude) == {"left"}


def test_counts_and_rates_are_no_identifiers_though_they_never_repeat():
    rng = np.random.default_rng(0)
    counts = ("number_of_reads", "read_number", "key_rate")
    frame = pd.DataFrame({name: rng.choice(10**7, 300, replace=False) + 0.0 for name in counts})
    frame["sample_number"] = rng.permutation(400)[:300] + 1.0
    frame["serial_number"] = rng.choice(10**7, 300, replace=False) + 0.0
    assert set(identifiers(make(frame)).exclude) == {"sample_number", "serial_number"}


def test_missing_values_and_codes(clean):
    frame = clean_table()
    frame.loc[:99, "height"] = np.nan
    frame.loc[100:111, "mass"] = -999.0
    frame.loc[120:129, "dose"] = -1.0
    looked = missing_values(make(frame))
    by_column = {f.columns[0]: f for f in looked.findings}
    assert {f.code for f in looked.findings} == {"LOOK-MISSING"}
    assert by_column["mass"].grade == "warn" and set(by_column["mass"].rows) == set(range(100, 112))
    assert by_column["dose"].values["code"] == -1.0
    assert by_column["height"].grade == "note" and abs(by_column["height"].values["share"]["height"] - 1 / 6) < 1e-9
    assert not missing_values(clean).findings


@pytest.mark.parametrize("values", [np.arange(-5.0, 100.0), np.repeat([-1.0, 0.0, 1.0], 30),
                                    np.r_[np.arange(0, 99.0), [99.0] * 3], np.linspace(0, 999, 400),
                                    np.repeat(np.arange(-1.0, 30), 13), np.repeat(np.arange(-1.0, 5), 60),
                                    np.repeat([-1.0, 0, 1, 2, 3, 4], [40, 70, 90, 60, 30, 10])])
def test_values_that_only_look_like_codes(values):
    assert missing_code(values) is None


@pytest.mark.parametrize("rest", [np.repeat(np.arange(0.0, 30), 12), np.repeat(np.arange(1.0, 30), 12), np.arange(0, 9, 0.01)])
def test_minus_one_is_a_code_where_the_scale_does_not_lead_down_to_it(rest):
    looked = missing_values(make({"grade": np.r_[[-1.0] * 40, rest]}))
    assert looked.findings[0].values == {"code": -1.0, "rows": 40} and "far from" not in looked.findings[0].claim


def test_slipped_decimal_points(clean):
    frame = clean_table()
    frame.loc[[7, 70], "height"] *= 10
    looked = outliers(make(frame))
    assert looked.findings[0].grade == "warn" and looked.findings[0].rows == (7, 70)
    assert not outliers(clean).findings
    heavy = np.random.default_rng(0).standard_t(3, (4000, 4))
    assert "warn" not in grades(outliers(make(pd.DataFrame(heavy).add_prefix("x")))).values()


def test_blank_images():
    pixels = np.random.default_rng(0).integers(0, 255, (60, 1, 16, 16)).astype(np.uint8)
    assert not outliers(make({"image": pixels})).findings
    pixels[[5, 6]] = 0
    assert outliers(make({"image": pixels})).findings[0].rows == (5, 6)


@pytest.mark.parametrize("convert", [lambda v: v * 1000, lambda v: v * 2.2046 * 1.0])
def test_mixed_units(convert):
    rng = np.random.default_rng(0)
    values = rng.normal(70, 5, 500)
    assert not mixed_units(make({"mass": values})).findings
    rows = np.sort(rng.choice(500, 25, replace=False))
    values[rows] = convert(values[rows])
    looked = mixed_units(make({"mass": values}))
    assert grades(looked) == {"LOOK-UNITS": "warn"} and set(looked.findings[0].rows) == set(rows.tolist())


def test_celsius_and_fahrenheit():
    values = np.random.default_rng(0).normal(37, 0.6, 400)
    values[:40] = values[:40] * 1.8 + 32
    assert "Fahrenheit" in mixed_units(make({"temperature": values})).findings[0].claim


def test_units_are_searched_in_a_large_table_within_seconds():
    rng = np.random.default_rng(0)
    data = make({f"c{i}": pd.Series(rng.integers(0, 300, 50_000).astype(str)) for i in range(8)}
                | {f"x{i}": rng.normal(size=50_000) for i in range(20)})
    started = time.perf_counter()
    assert not groups(data).groups
    assert time.perf_counter() - started < 5


def test_groups_in_a_column(clean):
    frame = clean_table(300)
    frame["patient_id"] = np.repeat(np.arange(60), 5)
    data = make(frame)
    looked = groups(data)
    assert looked.groups["patient_id"].count == 60 and looked.groups["patient_id"].kind == "group"
    assert "patient_id" in looked.exclude and codes_of(looked) == {"LOOK-GROUP"}
    found = unit_of_analysis(data).findings[0]
    assert found.code == "LOOK-UNIT-OF-ANALYSIS" and found.values["units"] == 60
    assert not groups(clean).groups and not unit_of_analysis(clean).findings
    one = make({"subject": np.array([*[None] * 29, "P1"], dtype=object), "x": np.arange(30.0)}, roles={"subject": "group"})
    assert groups(one).findings[0].claim == "1 row comes from 1 unit named in the column 'subject'"


def test_a_being_is_the_unit_before_a_batch_whatever_their_order():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"batch": rng.integers(0, 10, 300), "donor": rng.integers(0, 60, 300), "x": rng.normal(size=300)})
    for columns in (["batch", "donor", "x"], ["donor", "batch", "x"]):
        data = make(frame[columns], roles={"batch": "group", "donor": "group"})
        assert list(groups(data).groups) == ["donor", "batch"]
        assert unit_of_analysis(data).findings[0].columns == ("donor",)


def test_rows_that_name_no_unit_are_not_units():
    who = pd.Series([f"P{i % 5}" if i < 100 else None for i in range(200)])
    found = unit_of_analysis(make({"patient_id": who}, roles={"patient_id": "group"})).findings[0]
    assert found.grade == "warn" and found.values == {"units": 5, "rows_a_unit": 20.0}


def test_a_unit_without_a_telling_name_is_found_by_what_follows_from_it():
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(50), 4)
    looked = groups(make({"who": [f"u{i}" for i in unit], "age": rng.integers(20, 90, 50)[unit].astype(float),
                          "height": rng.normal(170, 9, 50)[unit], "origin": rng.choice(list("abcdef"), 50)[unit],
                          "signal": rng.normal(size=200)}))
    assert list(looked.groups) == ["who"]


@pytest.mark.parametrize(("name", "units"), [
    ("P{u:03d}_slice{k}.png", 30), ("P{u:03d}slice{k}.png", 30), ("sick/patient-{u}/img_{k:02d}.png", 30),
    ("exp1/mouse{u}_session2_frame{k:04d}.tif", 30), ("{u:08x}_t{k}.dcm", 30)])
def test_groups_in_file_names(name, units):
    items = tuple(name.format(u=u * 7919 + 1, k=k) if "x}" in name else name.format(u=u, k=k)
                  for u in range(units) for k in range(4))
    data = make({"image": np.zeros((len(items), 1, 4, 4), dtype=np.uint8)}, items=items)
    grouping = from_files(data)
    assert grouping is not None and grouping.count == units
    assert (grouping.codes == np.repeat(np.arange(units), 4)).all()


@pytest.mark.parametrize("name", ["cats/{i:04d}.png", "img_{i}.png", "{c}/{j:03d}.jpg", "{c}_{i}.jpg"])
def test_plain_file_names_hold_no_groups(name):
    items = tuple(name.format(i=i, j=i // 4, c="abcd"[i % 4]) for i in range(120))
    assert from_files(make({"image": np.zeros((120, 1, 4, 4), dtype=np.uint8)}, items=items)) is None


def test_scaffolds_on_esol_are_the_published_count(shared_data):
    pytest.importorskip("rdkit")
    frame = pd.read_csv(shared_data / "molecules_esol" / "esol.csv")
    looked = scaffolds(make({"smiles": frame["smiles"]}, kinds={"smiles": "molecule"}))
    assert looked.groups["scaffold"].kind == "scaffold" and looked.facts["scaffolds"] == 269


def test_time_and_drift(clean):
    frame = clean_table()
    rng = np.random.default_rng(5)
    frame["when"] = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.permutation(len(frame)), "h")
    data = make(frame)
    assert codes_of(time_order(data)) == {"LOOK-TIME"} and not drift(data).findings
    late = frame["when"] > frame["when"].median()
    frame.loc[late, "height"] += 12
    looked = drift(make(frame))
    assert grades(looked) == {"LOOK-DRIFT": "warn"} and looked.findings[0].columns == ("height", "when")
    assert not time_order(clean).findings and not drift(clean).checks[0].ran


def test_a_date_that_hardly_varies_is_no_time():
    x = np.sort(np.random.default_rng(0).normal(size=400))
    for late in (0, 15):  # rows of a second date
        day = np.repeat(np.array(["2024-01-05", "2024-02-01"], dtype="datetime64[ns]"), [400 - late, late])
        data = make({"day": day, "x": x})
        assert not time_order(data).findings and not drift(data).findings
    three = np.repeat(np.array(["2024-01-05", "2024-02-01", "2024-03-01"], dtype="datetime64[ns]"), [390, 5, 5])
    assert time_order(make({"day": three})).findings and not drift(make({"day": three, "x": x})).findings  # nothing to halve


def test_a_text_is_no_time():
    data = make({"when": [f"a note of row {i}" for i in range(100)], "x": np.arange(100.0)}, kinds={"when": "text"},
                roles={"when": "time"})
    assert not time_order(data).findings and not drift(data).findings


def test_rows_of_one_date_have_no_order():
    rng = np.random.default_rng(1)
    date = np.repeat(np.arange(3), 200)
    day = np.datetime64("2020-01-01", "ns") + date.astype("timedelta64[D]")
    x = rng.normal(size=600) + 2 * (np.arange(600) % 200 >= 100)  # rises within each date, by the rows, and not between them
    assert not drift(make({"day": day, "x": x})).findings
    assert drift(make({"day": day, "x": rng.normal(size=600) + date})).findings


def patients(seed):
    """40 patients of 20 rows: age of the patient, pulse of the row, a site and a first visit each, at random."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(40), 20)
    first = np.datetime64("2020-01-01", "ns") + rng.integers(0, 900, 40).astype("timedelta64[D]")
    frame = pd.DataFrame({"patient": who, "age": rng.normal(60, 10, 40)[who], "pulse": rng.normal(70, 10, 800),
                          "sex": rng.choice(["f", "m"], 40)[who], "site": rng.choice(["north", "south"], 40)[who],
                          "day": first[who]})
    return frame.iloc[rng.permutation(800)].reset_index(drop=True)


def test_drift_of_patients_is_tested_on_patients():
    frames = [patients(seed) for seed in range(20)]
    assert sum(bool(drift(make(f, roles={"patient": "group"})).findings) for f in frames) <= 1
    frame = frames[0]
    frame["pulse"] += 8 * (frame.site == "north")  # differs from row to row within a patient: rows count
    assert "pulse" in drift(make(frame, roles={"patient": "group"})).findings[0].columns
    frame["age"] += 40 * (frame.site == "south")  # 40 years are seen on patients, too
    assert any("age" in f.columns for f in drift(make(frame, roles={"patient": "group"})).findings)


def test_too_few_units_are_not_checked_for_drift():
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(8), 50)
    frame = pd.DataFrame({"animal": who, "age": rng.normal(size=8)[who], "site": np.array(["a", "b"])[who % 2]})
    checks = drift(make(frame, roles={"animal": "group"})).checks
    assert any(not c.ran and "units on a side of 'site'" in c.why_not for c in checks)


def test_drift_between_sites():
    frame = clean_table()
    frame["site"] = np.random.default_rng(2).choice(["north", "south"], len(frame))
    assert not drift(make(frame)).findings
    frame.loc[frame.site == "north", "score"] += 1.2
    assert drift(make(frame)).findings[0].columns == ("score", "site")


def test_wide_counts_and_preprocessed():
    rng = np.random.default_rng(0)
    counts = rng.negative_binomial(2, 0.1, (60, 100)).astype(float)
    assert codes_of(sizes(make({"genes": block(counts)}))) == {"LOOK-WIDE"}
    assert codes_of(raw_counts(make({"genes": block(counts)}))) == {"LOOK-COUNTS"}
    assert not raw_counts(make({"genes": block(np.log1p(counts))})).findings
    grades = np.minimum(rng.negative_binomial(1, 0.1, (60, 100)), 16.0)
    assert not raw_counts(make({"pixels": block(grades)})).findings, "a common largest value: pixels"
    alike = np.stack([rng.multinomial(5000, rng.dirichlet(np.ones(100))) for _ in range(60)])
    assert "alike" in raw_counts(make({"otus": block(alike)})).findings[0].claim
    table = rng.normal(3, 2, (200, 4))
    assert not preprocessed(make(pd.DataFrame(table).add_prefix("x"))).findings
    scaled = (table - table.mean(0)) / table.std(0)
    assert codes_of(preprocessed(make(pd.DataFrame(scaled).add_prefix("x")))) == {"LOOK-PREPROCESSED"}


def test_doubtful_kinds(clean):
    frame = clean_table()
    frame["region_code"] = np.random.default_rng(0).integers(1, 7, len(frame))
    assert kind_doubts(make(frame)).findings[0].columns == ("region_code",) and not kind_doubts(clean).findings


def test_infinite_numbers_are_reported_and_read_as_missing():
    frame = clean_table(200)
    frame.loc[3, "height"] = np.inf
    looked = look_inputs(make(frame))
    assert [f.rows for f in looked.findings if f.code == "LOOK-OUTLIER"] == [(3,)]


def test_claims_hold_no_row_values_and_every_check_says_what_it_would_find(clean):
    looked = look_inputs(clean)
    for check in looked.checks:
        assert check.smallest_effect_it_would_find if check.ran else check.why_not


def test_the_map_is_pca(clean):
    shown = map_points(clean, colour="y")
    assert len(shown["x"]) == len(shown["rows"]) == len(shown["colour"]) == 600
    from sklearn.decomposition import PCA

    from gnomon.analyses.explore._views import quick_view

    view = quick_view(clean, np.arange(600)).astype(float)
    other = PCA(2).fit(view)
    assert np.allclose(shown["explained"], other.explained_variance_ratio_, rtol=1e-6)
    assert np.allclose(np.abs(shown["x"]), np.abs(other.transform(view)[:, 0]), atol=1e-6)
    assert len(map_points(clean, most=100)["x"]) == 100


def test_column_helper_keeps_missing():
    assert column(["a", None, "b"]).values.tolist() == [0, -1, 1]


@pytest.mark.parametrize("above", ["", "train/"])
def test_numbered_class_folders_are_no_units_and_numbered_folders_beside_a_table_may_be(above):
    """What reading took for the class is none; with a table that names the files it took nothing, and patients may be."""
    pixels = np.zeros((240, 1, 4, 4), dtype=np.uint8)
    items = tuple(f"{above}{i % 8}/{i}.png" for i in range(240))
    alone = make({"image": pixels}, items=items)
    assert from_files(alone) is None
    beside = make({"image": pixels, "age": np.arange(240.0)}, items=items)
    assert from_files(beside).count == 8
