"""Tables: forms, layouts, kinds and roles, and every bad input with its code."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from gnomon.data.read.dispatch import read_data, read_like, schema
from gnomon.data.table import codes, strings
from gnomon.errors import InputError


def table(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "name": [f"sample-{i}" for i in range(n)],
            "patient_id": [f"P{i // 3:03d}" for i in range(n)],
            "dose (mg)": np.round(rng.normal(10, 3, n), 3),
            "count": rng.integers(0, 40, n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "when": pd.date_range("2020-01-01", periods=n).strftime("%Y-%m-%d"),
            "outcome": rng.integers(0, 2, n),
        }
    )


def code(source, **options) -> InputError:
    with pytest.raises(InputError) as caught:
        read_data(source, **options)
    assert caught.value.exit_code == 2
    assert caught.value.do
    return caught.value


def test_kinds_and_roles_with_reasons():
    data = read_data(table())
    got = {n: (data.kind(n), data.roles[n].role) for n in data.columns}
    assert got == {
        "name": ("text", "identifier"),
        "patient_id": ("category", "group"),
        "dose (mg)": ("number", "input"),
        "count": ("number", "input"),
        "colour": ("category", "input"),
        "when": ("date", "time"),
        "outcome": ("category", "target"),
    }
    assert data.columns["dose (mg)"].spec.unit == "mg"
    assert data.columns["colour"].spec.categories == ("blue", "green", "red")
    assert all(data.roles[n].because and data.kinds_because[n] for n in data.columns)


@pytest.mark.parametrize("form", ["csv", "tsv", "csv.gz", "parquet", "feather", "xlsx", "jsonl", "jsonl.gz", "json"])
def test_every_form_reads_to_the_same_data(form, tmp_path):
    frame, path = table(), tmp_path / f"t.{form}"
    write = {
        "csv": lambda: frame.to_csv(path, index=False),
        "tsv": lambda: frame.to_csv(path, index=False, sep="\t"),
        "csv.gz": lambda: frame.to_csv(path, index=False),
        "parquet": lambda: frame.to_parquet(path),
        "feather": lambda: frame.to_feather(path),
        "xlsx": lambda: frame.to_excel(path, index=False),
        "jsonl": lambda: frame.to_json(path, orient="records", lines=True),
        "jsonl.gz": lambda: frame.to_json(path, orient="records", lines=True),
        "json": lambda: frame.to_json(path, orient="records"),
    }
    write[form]()
    assert read_data(path).hash == read_data(frame).hash


def test_stated_roles_and_kinds_win():
    data = read_data(
        table(), target="dose (mg)", roles={"patient_id": "ignore", "count": "group"}, kinds={"colour": "text"}
    )
    assert data.roles["patient_id"].role == "ignore"
    assert data.roles["patient_id"].stated
    assert data.kind("count") == "category"
    assert data.kind("colour") == "text"
    assert data.targets == ("dose (mg)",)
    assert code(table(), kinds={"colour": "number"}).code == "E-KIND-UNREADABLE"
    assert code(table(), kinds={"colour": "molecule"}).code == "E-KIND-UNREADABLE"
    assert code(table(), roles={"colour": "colour"}).code == "E-OPTION"


def test_european_csv(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("﻿Länge;Wert;Gruppe\n" + "".join(f"{i},5;1.{i:03d},25;{'ab'[i % 2]}\n" for i in range(40)), "utf-8")
    data = read_data(path)
    assert list(data.columns) == ["Länge", "Wert", "Gruppe"]
    np.testing.assert_allclose(data.columns["Länge"].take(np.arange(3)), [0.5, 1.5, 2.5])
    np.testing.assert_allclose(data.columns["Wert"].take(np.arange(3)), [1000.25, 1001.25, 1002.25])


def test_layouts_without_header_with_blanks_and_r_row_names(tmp_path):
    bare = tmp_path / "bare.csv"
    bare.write_text("".join(f"{i},{i * 0.5},a\n" for i in range(30)))
    data = read_data(bare)
    assert list(data.columns) == ["column 1", "column 2", "column 3"]
    assert len(data) == 30
    assert [f.code for f in data.findings] == ["LOOK-KIND"]
    blanks = tmp_path / "blanks.txt"
    blanks.write_text("a  b   c\n" + "".join(f"{i}   {i * 2} {i * 0.1:.2f}\n" for i in range(9)))
    assert list(read_data(blanks).columns) == ["a", "b", "c"]
    from_r = tmp_path / "r.csv"
    from_r.write_text('"x","y"\n' + "".join(f'"g{i}",{i * 0.1},{i}\n' for i in range(9)))
    data = read_data(from_r)
    assert list(data.columns) == ["row name", "x", "y"]
    assert data.roles["row name"].role == "identifier"
    waves = tmp_path / "waves.csv"
    waves.write_text(
        ",".join(map(str, range(900, 910))) + "\n" + "".join(",".join(["0.5"] * 10) + "\n" for _ in range(5))
    )
    assert list(read_data(waves).columns)[:2] == ["900", "901"]


def test_quoted_newlines_and_delimiters(tmp_path):
    path = tmp_path / "t.csv"
    rows = "".join(f'{i},"first line {i},\nsecond ""line"" of this text"\n' for i in range(12))
    path.write_text("number,note\n" + rows)
    data = read_data(path)
    assert len(data) == 12
    assert strings(data.columns["note"])[0] == 'first line 0,\nsecond "line" of this text'


def test_censored_mixed_marks_and_unreadable_numbers_are_listed():
    frame = table()
    frame["ic50"] = [f"{i + 1}.5" for i in range(60)]
    frame.loc[[3, 7], "ic50"] = [">100", "< 0.1"]
    frame["mixed"] = [f"{i}.25" for i in range(60)]
    frame.loc[5, "mixed"] = "7,75"
    frame["partly"] = [str(i) for i in range(60)]
    frame.loc[9, "partly"] = "broken pipette"
    data = read_data(frame)
    found = {(f.code, f.columns): f for f in data.findings}
    censored = found["LOOK-CENSORED", ("ic50",)]
    assert censored.rows == (3, 7)
    assert censored.values["above"] == censored.values["below"] == 1
    assert data.columns["ic50"].spec.detail == "censored"
    np.testing.assert_allclose(data.columns["ic50"].take(np.array([3, 7, 0])), [100, 0.1, 1.5])
    assert found["LOOK-KIND", ("mixed",)].rows == (5,)
    assert data.columns["mixed"].take(np.array([5]))[0] == 7.75
    assert found["LOOK-KIND", ("partly",)].rows == (9,)
    assert np.isnan(data.columns["partly"].take(np.array([9]))[0])
    assert not read_data(table()).findings


def test_missing_marks_and_sentinels():
    frame = table()
    frame["a"] = ["NA", "", "?", "n/a", "-", *map(str, range(55))]
    frame["b"] = ["-1", "999", *map(str, range(58))]
    data = read_data(frame)
    assert np.isnan(data.columns["a"].take(np.arange(5))).all()
    assert list(data.columns["b"].take(np.arange(2))) == [-1, 999]  # sentinels are left to the look


def test_codes_with_leading_zeros_stay_codes(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("zip,v\n" + "".join(f"{i % 7:05d},{i}\n" for i in range(40)))
    data = read_data(path)
    assert data.kind("zip") == "category"
    assert data.columns["zip"].spec.categories[0] == "00000"


def test_many_number_columns_become_a_block():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 300)), columns=[f"gene{i}" for i in range(300)])
    frame["y"] = np.arange(20) % 2
    data = read_data(frame, target="y")
    (block,) = data.inputs
    assert block == "gene0 ... (300 columns)"
    assert data.columns[block].values.shape == (20, 300)
    assert data.columns[block].values.dtype == np.float32
    assert data.columns[block].names[7] == "gene7"
    assert len(data.numbers()[1]) == 300


def test_date_parts_become_one_time():
    hours = pd.date_range("2010-01-01", periods=60, freq="h")
    frame = pd.DataFrame(
        {"year": hours.year, "month": hours.month, "day": hours.day, "hour": hours.hour, "v": range(60)}
    )
    data = read_data(frame)
    assert data.named("time") == ("year-month-day-hour",)
    assert (data.columns["year-month-day-hour"].take(np.arange(60)) == hours.to_numpy()).all()


def test_several_files(tmp_path):
    frame = table()
    frame.iloc[:40].to_csv(tmp_path / "train.csv", index=False)
    frame.iloc[40:].to_csv(tmp_path / "test.csv", index=False)
    data = read_data([tmp_path / "train.csv", tmp_path / "test.csv"])
    assert data.named("split") == ("file:split",)
    assert list(strings(data.columns["file:split"])).count("test") == 20
    assert (data.position == np.arange(60)).all()
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "b.csv", index=False)
    both = read_data([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert set(strings(both.columns["file"])) == {"a", "b"}
    frame[["count", "colour"]].iloc[:30].to_csv(tmp_path / "other.csv", index=False)
    assert code([tmp_path / "a.csv", tmp_path / "other.csv"]).code == "E-FILES-DIFFER"


def test_tables_join_by_key(tmp_path):
    pd.DataFrame({"drug": [10, 20, 30, 10, 20, 30], "affinity": np.arange(6.0)}).to_csv(
        tmp_path / "main.csv", index=False
    )
    pd.DataFrame({"drug": [30, 10, 20], "smiles": ["CCO", "c1ccccc1", "CCN"]}).to_csv(
        tmp_path / "drugs.csv", index=False
    )
    data = read_data(tmp_path)
    assert list(strings(data.columns["smiles"])) == ["c1ccccc1", "CCN", "CCO", "c1ccccc1", "CCN", "CCO"]
    assert data.roles["drug"].role == "group"


def test_sampling_is_uniform_seeded_and_said(tmp_path):
    path = tmp_path / "t.csv"
    pd.DataFrame({"i": np.arange(5000), "v": 0.5}).to_csv(path, index=False)
    data = read_data(path, max_rows=500, seed=1)
    assert len(data) == 500
    assert (data.columns["i"].take(np.arange(500)) == data.position).all()
    assert "500 of the 5,000" in data.sampled
    assert (read_data(path, max_rows=500, seed=1).position == data.position).all()
    means = [read_data(path, max_rows=500, seed=s).position.mean() for s in range(8)]
    assert abs(np.mean(means) - 2499.5) < 4 * 1443 / np.sqrt(8 * 500)
    assert read_data(path, max_rows=9000).sampled == ""


def test_streaming_sample_equals_the_rows_it_names(tmp_path, monkeypatch):
    """A csv above the size limit is never whole in memory: here the limits are tiny."""
    from gnomon.data.read import tables

    monkeypatch.setattr(tables, "LARGE", 1000)
    monkeypatch.setattr(tables, "KEEP_BYTES", 20_000)
    path = tmp_path / "t.csv"
    pd.DataFrame({"i": np.arange(20_000), "w": ["abcdefgh"] * 20_000}).to_csv(path, index=False)
    data = read_data(path)
    assert 100 < len(data) < 5000
    assert (data.columns["i"].take(np.arange(len(data))) == data.position).all()
    assert "20,000" in data.sampled


# bad input, one code each


def test_missing_and_empty_files(tmp_path):
    (tmp_path / "there.csv").write_text("")
    (tmp_path / "header.csv").write_text("a,b\n")
    assert code(tmp_path / "their.csv").code == "E-FILE-ABSENT"
    assert "there.csv" in code(tmp_path / "their.csv").message
    assert code(tmp_path / "there.csv").code == "E-FILE-EMPTY"
    assert code(tmp_path / "header.csv").code == "E-FILE-EMPTY"
    assert code(tmp_path / "header.csv", max_rows=5).code == "E-FILE-EMPTY"
    (tmp_path / "folder").mkdir()
    assert code(tmp_path / "folder").code == "E-FILE-EMPTY"


def test_target_absent_offers_the_closest():
    error = code(table(), target="outcom")
    assert error.code == "E-TARGET-ABSENT"
    assert "'outcome'" in error.do
    assert read_data(table(), target="Outcome").targets == ("outcome",)  # only the case differs


def test_target_without_values():
    frame = table()
    frame["y"] = np.nan
    assert code(frame, target="y").code == "E-TARGET-EMPTY"


def test_duplicate_columns(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,a\n1,2,3\n4,5,6\n")
    error = code(path)
    assert error.code == "E-COLUMN-DUPLICATE"
    assert "columns 1 and 3" in error.message
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
    assert code(frame).code == "E-COLUMN-DUPLICATE"
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    assert code(tmp_path / "t.xlsx").code == "E-COLUMN-DUPLICATE"


def test_wrong_encoding_names_line_and_byte(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"name,v\n" + b"abc,1\n" * 70_000 + "Müller,2\n".encode("latin-1"))
    error = code(path)
    assert error.code == "E-ENCODING"
    assert "line 70002" in error.message
    assert "0xfc" in error.message
    path.write_text("name,v\nMüller,2\nMeyer,3\n", "utf-16")
    assert len(read_data(path)) == 2  # a byte order mark tells


def test_ragged_csv_names_the_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n" + "1,2,3\n" * 500 + "1,2,3,4\n" + "1,2,3\n")
    error = code(path)
    assert error.code == "E-RAGGED"
    assert "row 500 (line 502) has 4 fields" in error.message
    path.write_text("a,b,c\n" + "1,2,3\n" * 500 + "1,2\n" + "1,2,3\n")
    assert "row 500 (line 502) has 2 fields" in code(path).message


def test_a_quotation_mark_never_closed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,x\n" + '2,"unclosed\n3,y\n' + "4,z\n" * 9)
    error = code(path)
    assert error.code == "E-QUOTE"
    assert "row 1" in error.message
    path.write_text('a,b\n1,5" pipe\n2,y\n')
    assert strings(read_data(path).columns["b"])[0] == '5" pipe'


def test_unreadable_formats(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(bytes(range(256)) * 20)
    assert code(path).code in ("E-UNREADABLE", "E-FORMAT")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 not really")
    assert code(tmp_path / "t.parquet").code == "E-UNREADABLE"
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04 broken")
    assert code(tmp_path / "t.xlsx").code == "E-UNREADABLE"
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{"a": \n')
    assert "line 2" in code(tmp_path / "t.jsonl").message
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 200_000)
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    assert code(tmp_path / "cut.csv.gz").code == "E-UNREADABLE"


# new data in the form of old


def test_new_data_reads_alike(tmp_path):
    frame = table()
    data = read_data(frame)
    saved = json.loads(json.dumps(schema(data)))
    again, messages = read_like(saved, frame)
    assert again.hash == data.hash
    assert messages == []
    new = frame.drop(columns=["outcome", "count"]).rename(columns={"dose (mg)": "Dose (mg)"})
    new["colour"] = ["purple", *new["colour"][1:]]
    new["more"] = 1.0
    new = new[list(reversed(new.columns))]
    got, messages = read_like(saved, new)
    assert codes(got.columns["colour"])[0] == -1
    assert (codes(got.columns["colour"])[1:] == codes(data.columns["colour"])[1:]).all()
    assert np.isnan(got.columns["count"].take(np.arange(3))).all()
    assert (codes(got.columns["outcome"]) == -1).all()
    assert got.columns["dose (mg)"].hash == data.columns["dose (mg)"].hash
    told = " | ".join(messages)
    assert "'Dose (mg)' is read as 'dose (mg)'" in told
    assert "'count' is missing" in told
    assert "'more'" in told
    assert "not seen" in told


def test_new_data_without_any_input_is_refused():
    saved = schema(read_data(table()))
    with pytest.raises(InputError, match="E-COLUMNS-MISSING"):
        read_like(saved, pd.DataFrame({"unknown": [1.0, 2.0]}))


def test_new_block_by_name():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 300)), columns=[f"gene{i}" for i in range(300)])
    data = read_data(frame)
    got, messages = read_like(schema(data), frame[frame.columns[::-1]].drop(columns="gene5"))
    block = got.columns["gene0 ... (300 columns)"]
    np.testing.assert_array_equal(block.values[:, 6:], data.columns["gene0 ... (300 columns)"].values[:, 6:])
    assert np.isnan(block.values[:, 5]).all()
    assert "'gene5' is missing" in messages[0]


def test_schema_keeps_no_names_of_patients():
    assert "P003" not in json.dumps(schema(read_data(table())))


def test_a_line_longer_than_csv_s_own_limit(tmp_path):
    """7,000 long names make a header of more than 131,072 letters: tried with a wrong mark, it is one field."""
    names = [f"a rather long name of gene number {j}" for j in range(7000)]
    path = tmp_path / "wide.csv"
    path.write_text(",".join([*names, "y"]) + "\n" + "".join(",".join(map(str, range(k, k + 7001))) + "\n" for k in range(4)))
    data = read_data(path, target=("y",))
    assert len(data) == 4 and sum(max(1, *(c.spec.shape or (1,))) for c in data.columns.values()) == 7001


def test_infinite_targets_are_missing_and_listed_and_inputs_are_left_to_the_look():
    from gnomon.data.read.dispatch import read_data, read_like, schema

    frame = pd.DataFrame({"x": [1.0, np.inf, 3.0, 4.5], "y": [0.5, 1.5, -np.inf, 2.5]})
    data = read_data(frame, target=("y",))
    found = [f for f in data.findings if f.code == "LOOK-OUTLIER"]
    assert np.isnan(data.columns["y"].values[2]) and np.isinf(data.columns["x"].values[1])
    assert len(found) == 1 and found[0].rows == (2,) and "'y'" in found[0].claim and found[0].grade == "warn"
    again, _ = read_like(schema(data), frame)
    assert np.isnan(again.columns["y"].values[2])
