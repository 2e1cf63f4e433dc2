"""Features: each equals what the field's own definition gives, and is learned from the given rows only."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest

from gnomon.data.features import _images, _molecules, _sequences, _text
from gnomon.data.features._view import fit_view, load_view, save_view, view_from_state
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.errors import InputError

SMILES = ["CCO", "c1ccccc1O", "CC(=O)Nc1ccc(O)cc1", "CCCCCC", "OCC1OC(O)C(O)C(O)C1O", "CCN(CC)CC", "c1ccc2ccccc2c1",
          "CC#N", "C1CCCCC1", "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "ClC(Cl)Cl", None]


def words(values: list, kind: str, **spec) -> Dense:
    return Dense(np.array(values, dtype=object), Spec(kind, **spec))


def table(**columns: Dense) -> Data:
    count = len(next(iter(columns.values())))
    return Data(columns, {name: Role("input", "") for name in columns}, np.arange(count))


def number(values) -> Dense:
    return Dense(np.asarray(values, dtype=np.float64), Spec("number"))


def many_kinds(n: int = 40) -> Data:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=n)
    numbers[3] = numbers[4] = np.nan
    return table(
        a=number(numbers), b=number(np.exp(3 * rng.normal(size=n))),
        block=Dense(rng.normal(size=(n, 5)).astype(np.float32), Spec("number", shape=(5,)), tuple("vwxyz")),
        colour=Dense(rng.integers(-1, 3, n).astype(np.int32), Spec("category", categories=("red", "green", "blue"))),
        day=Dense(np.datetime64("2020-01-01", "ns") + rng.integers(0, 10**6, n).astype("timedelta64[m]"), Spec("date")),
        mol=words((SMILES * 4)[:n], "molecule"),
        dna=words(["".join(rng.choice(list("ACGT"), long)) for long in rng.integers(20, 60, n)],
                  "sequence", detail="DNA"),
        note=words([f"sample {i % 7} was {'cold' if i % 2 else 'warm and wet'}" for i in range(n)], "text"),
        photo=Dense(rng.integers(0, 256, (n, 3, 40, 36)).astype(np.uint8), Spec("image", shape=(3, 40, 36))))


@pytest.mark.parametrize(("form", "dense"), [("scaled", False), ("scaled", True), ("filled", False), ("raw", True)])
def test_every_kind_joins_and_comes_back_from_its_state(form, dense, tmp_path):
    data, rows = many_kinds(), np.arange(30)
    view = fit_view(data, rows, data.inputs, dense=dense, form=form, seed=1)
    matrix = view.transform(data, np.arange(40))
    assert matrix.shape == (40, len(view.names)) == (40, len(view.source))
    assert matrix.dtype == np.float32 and isinstance(matrix, np.ndarray) == dense
    assert set(view.source) == set(data.inputs)
    state, arrays = view.state()
    again = view_from_state(json.loads(json.dumps(state)), arrays)
    save_view(view, tmp_path)
    for other in (again, load_view(tmp_path)):
        difference = other.transform(data, np.arange(40)) - matrix
        assert np.nanmax(np.abs(difference if dense else difference.toarray())) == 0
        assert other.names == view.names and other.source == view.source
    full = matrix if dense else matrix.toarray()
    assert np.isnan(full).any() == (form == "raw")


def test_features_are_learned_from_the_given_rows_only():
    data, rows = many_kinds(), np.arange(30)
    state, arrays = fit_view(data, rows, data.inputs, dense=False, seed=1).state()
    other = many_kinds()
    for column in other.columns.values():
        if column.spec.kind != "molecule":
            column.values[30:] = column.values[0]  # none of these rows may count
    other.columns["note"].values[30:] = "unheard of words"
    again, arrays_again = fit_view(other, rows, data.inputs, dense=False, seed=1).state()
    assert state == again
    assert all(np.array_equal(a, arrays_again[name], equal_nan=True) for name, a in arrays.items())


def test_scaled_numbers_have_mean_0_sd_1_and_gaps_are_flagged():
    values = np.array([1.0, 2, 3, 4, np.nan, np.nan, 6, 7, 8, 9, 1e6])
    data = table(x=number(values), same=number(np.ones(11)), nothing=number(np.full(11, np.nan)))
    rows = np.arange(10)
    view = fit_view(data, rows, data.inputs, dense=True, seed=0)
    assert view.names == ("x", "x missing")  # constants and empty columns are gone
    matrix = view.transform(data, np.arange(11))
    assert np.allclose(matrix[:10, 0].mean(), 0, atol=1e-6) and np.allclose(matrix[:10, 0].std(), 1, atol=1e-5)
    assert matrix[:, 1].tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    assert matrix[10, 0] < 4  # far beyond the training range counts only half a range beyond it
    filled = fit_view(data, rows, data.inputs, dense=True, form="filled", seed=0).transform(data, np.arange(11))
    assert filled[4, 0] == np.nanmedian(values[:10]) and filled[10, 0] == 1e6
    raw = fit_view(data, rows, data.inputs, dense=True, form="raw", seed=0).transform(data, np.arange(11))
    assert raw.shape[1] == 1 and np.isnan(raw[4, 0])


def test_trees_see_categories_in_order_of_the_target():
    codes = np.array([0] * 20 + [1] * 20 + [2] * 20 + [3], dtype=np.int32)
    data = table(c=Dense(codes, Spec("category", categories=("low", "high", "middle", "never seen"))))
    truth = np.array([0.0] * 20 + [9.0] * 20 + [5.0] * 20)
    view = fit_view(data, np.arange(60), ("c",), dense=True, form="raw", truth=truth, seed=0)
    ranks = view.transform(data, np.array([0, 20, 40, 60]))[:, 0]
    assert ranks[:3].tolist() == [0, 2, 1] and np.isnan(ranks[3])
    ones = fit_view(data, np.arange(60), ("c",), dense=True, seed=0).transform(data, np.array([0, 60]))
    assert ones[0].sum() == 1 and ones[1].sum() == 0


def test_dates():
    days = np.array(["1969-12-31T23:00", "2024-02-29T12:30", "2021-03-01", "NaT"], dtype="datetime64[ns]")
    data = table(day=Dense(days, Spec("date")))
    view = fit_view(data, np.arange(4), ("day",), dense=True, form="raw", seed=0)
    row = dict(zip(view.names, view.transform(data, np.arange(4))[1], strict=True))
    seen = [row[f"day: {part}"] for part in ("year", "month", "day of week", "hour")]
    assert seen == [2024, 2, 3, 12]  # a Thursday
    assert row["day: elapsed days"] == pytest.approx(19783 + 12.5 / 24, abs=2e-3)
    assert np.isnan(view.transform(data, np.arange(4))[3]).all()


def test_morgan_counts_are_rdkits():
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    ours = _molecules.morgan(SMILES).toarray()
    for row, smiles in zip(ours, SMILES, strict=True):
        wanted = generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(smiles)) if smiles else np.zeros(2048)
        assert np.array_equal(row, wanted)


def test_properties_are_rdkits_and_missing_is_nan():
    from rdkit import Chem
    from rdkit.Chem import Descriptors

    matrix, names = _molecules.properties(SMILES), _molecules.property_names()
    for row, smiles in enumerate(SMILES):
        molecule = Chem.MolFromSmiles(smiles) if smiles else None
        told = [matrix[row, names.index("tpsa")], matrix[row, names.index("CrippenClogP")]]
        if molecule is None:
            assert np.isnan(matrix[row]).all()
        else:
            np.testing.assert_allclose(told, [Descriptors.TPSA(molecule), Descriptors.MolLogP(molecule)], rtol=1e-5)


def test_descriptors_are_rdkits_and_missing_is_nan():
    from rdkit import Chem
    from rdkit.Chem import Descriptors

    from gnomon.data.molecules import descriptor_names

    matrix, names = _molecules.descriptors(SMILES), descriptor_names()
    assert np.isnan(matrix[-1]).all()
    for name in ("MolLogP", "TPSA", "ExactMolWt"):
        wanted = [getattr(Descriptors, name)(Chem.MolFromSmiles(s)) for s in SMILES[:-1]]
        assert np.allclose(matrix[:-1, names.index(name)], wanted, rtol=1e-5)


def test_either_strand_gives_the_same_words():
    rng = np.random.default_rng(7)
    there = ["".join(rng.choice(list("ACGT"), 60)) for _ in range(5)]
    back = [s[::-1].translate(str.maketrans("ACGT", "TGCA")) for s in there]
    a, b = (_sequences.both_strands(np.array(s, dtype=object), "ACGT").toarray() for s in (there, back))
    names = _sequences.strand_names("ACGT")
    assert np.allclose(a, b) and a.shape[1] == len(names) == 2 + 10 + 32 + 136 + 512
    assert np.allclose(a.sum(axis=1), _sequences.kmers(np.array(there, dtype=object), "ACGT").sum(axis=1).A1)
    seen = sum(there[0][i:i + 3] in ("AAC", "GTT") for i in range(58))
    assert a[0, names.index("AAC or GTT")] == pytest.approx(100 / 60 * seen)


def test_kmers_equal_counting_by_hand():
    sequences = np.array(["ACGTAC", "acnt", None, "TTTTTTT"], dtype=object)
    matrix, names = _sequences.kmers(sequences, "ACGT").toarray(), _sequences.mer_names("ACGT")
    assert len(names) == matrix.shape[1] == sum(4**k for k in range(1, 6))
    for row, text in zip(matrix, sequences, strict=True):
        text = (text or "").upper()
        for name, value in zip(names, row, strict=True):
            count = sum(text[i:i + len(name)] == name for i in range(len(text)))
            assert value == pytest.approx(100 * count / max(len(text), 1), rel=1e-5)


def test_positions_and_alignment():
    rng = np.random.default_rng(0)
    variants = np.array(["MKV" + "".join(v) for v in product("AC", "DE")], dtype=object)
    assert _sequences.is_aligned(variants)
    random = ["".join(rng.choice(list("ACGT"), 200)) for _ in range(50)]
    assert not _sequences.is_aligned(np.array(random, dtype=object))
    data = table(s=words(list(variants), "sequence", detail="protein"))
    view = fit_view(data, np.arange(4), ("s",), dense=True, seed=0)
    assert view.names == ("s: A at 4", "s: C at 4", "s: D at 5", "s: E at 5")
    assert np.all(view.transform(data, np.arange(4)).sum(axis=1) == view.transform(data, np.arange(1)).sum())


def test_lists_of_mutations():
    lists = np.array(["A108D", "A108D,N144D", "WT", "N144D:I186V", None], dtype=object)
    assert _sequences.is_mutations(lists) and not _sequences.is_mutations(np.array(["ACD", "M108"], dtype=object))
    known = _sequences.fit_mutations(lists[:2])
    assert known == ["A108D", "N144D"]
    counted = _sequences.mutations(lists, known).toarray().tolist()
    assert counted == [[1, 0, 1], [1, 1, 2], [0, 0, 0], [0, 1, 2], [0, 0, 0]]


def test_style():
    texts = np.array(["To be, or not to be", None, "A1 a1"], dtype=object)
    told = _text.style(texts)
    np.testing.assert_allclose(told[0], [np.log(7), 5 / 6, 13 / 6, 1 / 19, 0, 1 / 19], rtol=1e-6)  # to, To: case is kept
    assert np.isnan(told[1]).all() and told[2, 4] == pytest.approx(2 / 5) and len(_text.STYLE) == told.shape[1]


def test_composition():
    row = dict(zip(_sequences.composition_names("ACGT", False),
                   _sequences.composition(np.array(["GGCA"], dtype=object), "ACGT", False)[0], strict=True))
    assert row["length"] == 4 and row["GC share"] == 0.75 and row["share of G"] == 0.5


def test_tf_idf_is_the_formula_and_knows_no_later_word():
    texts = np.array(["cell cell divides", "cell dies", "virus divides"], dtype=object)
    settings, arrays = _text.fit_terms(texts)
    row = _text.tf_idf(np.array(["cell cell novel"], dtype=object), settings, arrays).toarray()[0]
    weights = dict(zip(_text.term_names(settings), row, strict=True))
    assert "novel" not in weights
    cell = (1 + np.log(2)) * (np.log(4 / 3) + 1)
    pair = np.log(4 / 2) + 1
    assert weights["cell"] == pytest.approx(cell / np.hypot(cell, pair), rel=1e-5)
    assert weights["cell cell"] == pytest.approx(pair / np.hypot(cell, pair), rel=1e-5)


def test_hog_finds_the_direction_and_ignores_contrast():
    ramp = np.tile(np.arange(32) * 4, (32, 1)).astype(np.uint8)
    across, down = _images.hog(ramp[None, None]), _images.hog(ramp.T[None, None])
    assert across.reshape(-1, 9).mean(axis=0).argmax() == 0  # intensity rises to the right: direction 0
    assert down.reshape(-1, 9).mean(axis=0).argmax() == 4  # downwards: 90 degrees of 180, the middle of nine bins
    half = _images.hog(ramp[None, None].astype(np.float32) / 255 * 0.5)
    assert np.allclose(half, across, atol=0.05)


def test_shrinking_keeps_the_mean_and_patterns_sum_to_one():
    images = np.random.default_rng(0).random((2, 3, 60, 40)).astype(np.float32)
    small = _images.shrink(images, 20)
    assert small.shape == (2, 3, 20, 20) and np.allclose(small.mean(axis=(2, 3)), images.mean(axis=(2, 3)), atol=1e-6)
    patterns = _images._binary_patterns(images[:, 0])
    assert np.allclose(patterns.sum(axis=1), 1)
    assert np.allclose(_images._binary_patterns(images[:, 0, ::-1]), patterns)  # turned over, the same texture


def test_pixels_are_named_by_their_place():
    images = np.zeros((1, 3, 56, 40), np.float32)
    images[0, 1, 20:22, 30] = 1  # green, rows 20 and 21: one area of two rows
    found = _images.pixels(images)[0]
    names = _images.pixel_names(3, 56, 40)
    assert len(found) == len(set(names)) and names[found.argmax()].startswith("brightness of green at row 21, column ")


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_textures_are_named_one_by_one(channels):
    images = np.random.default_rng(1).random((3, channels, 20, 20)).astype(np.float32)
    found, names = _images.texture(images), _images.texture_names(channels)
    assert found.shape[1] == len(set(names))
    first = names.index("mean of intensity" + {1: "", 3: " of red"}.get(channels, " of channel 0"))
    np.testing.assert_allclose(found[:, first], images[:, 0].mean(axis=(1, 2)), rtol=1e-5)
    assert names[-1] == "pixels of irregular surroundings, half size"


def test_wrong_names_and_empty_inputs_are_refused_in_words():
    data = table(x=number(np.ones(5)))
    with pytest.raises(InputError, match="made of") as unknown:
        fit_view(data, np.arange(5), ("x",), "fingerprint", dense=True, seed=0)
    assert unknown.value.code == "E-VIEW-UNKNOWN"
    with pytest.raises(InputError) as empty:
        fit_view(data, np.arange(5), ("x",), dense=True, seed=0)
    assert empty.value.code == "E-VIEW-EMPTY"


def test_texts_that_repeat_are_worked_out_once():
    from gnomon.data.features._cache import different, remembered
    from gnomon.data.table import Dense, Spec

    asked = []

    def lengths(values):
        asked.append(len(values))
        return np.array([[0 if v is None else len(v)] for v in values], dtype=np.float32)

    texts = np.array(["CC", None, "CCO", "CC"] * 25, dtype=object)
    column = Dense(texts, Spec("molecule"))
    told = remembered(column, "lengths", np.array([0, 1, 2, 99]), lengths)
    assert told[:, 0].tolist() == [2, 0, 3, 2] and asked == [3]
    assert different(Dense(np.array([f"C{i}" for i in range(50)], dtype=object), Spec("molecule"))) is None
