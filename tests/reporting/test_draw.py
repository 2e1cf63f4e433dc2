"""Pictures as plain values."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest

from gnomon.data.draw import image_picture, molecule_picture, row_picture, sequence_picture, text_picture, to_rgb


def pixels(picture: dict) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture["src"].split(",")[1]))))


@pytest.mark.parametrize(("smiles", "strokes"), [("CC", 1), ("C=C", 2), ("C#C", 3), ("c1ccccc1", 9), ("C1CCCCC1", 6)])
def test_every_bond_is_drawn_with_its_order(smiles, strokes):
    assert molecule_picture(smiles)["d"].count("M") == strokes


def test_heteroatoms_are_written_with_hydrogens_and_charge():
    assert sorted(t[2] for t in molecule_picture("C[N+](C)(C)CC(=O)O")["t"]) in (["HO", "N⁺", "O"], ["N⁺", "O", "OH"])


def test_stereo_is_drawn_and_text_stays_in_the_box():
    picture = molecule_picture("N[C@@H](C)C(=O)O")
    assert picture["f"] or picture["d"].count("M") > 6
    for x, y, text, anchor, _ in picture["t"]:
        end = {"m": 4, "s": 7 * len(text), "e": -7 * len(text)}[anchor]
        assert picture["x"] <= min(x, x + end) and max(x, x + end) <= picture["x"] + picture["box"][0]
        assert 0 <= y <= picture["box"][1]


def test_weights_stand_at_their_atoms_and_small_ones_are_left_out():
    assert [g[2] for g in molecule_picture("CCO", weights=[1.0, 0.01, -0.5])["g"]] == [1.0, -0.5]


def test_what_rdkit_cannot_read_is_none_and_a_drug_is_small():
    assert molecule_picture("not a molecule") is None
    assert len(json.dumps(molecule_picture("CC(=O)Oc1ccccc1C(=O)O"))) < 700


def test_a_small_grey_image_survives_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    assert np.array_equal(pixels(image_picture(image)), image[0]) or "jpeg" in image_picture(image)["src"]
    flat = np.repeat(np.arange(0, 224, 8, dtype=np.uint8)[None, :, None], 28, axis=2)
    assert np.array_equal(pixels(image_picture(flat)), flat[0])


def test_large_images_shrink_and_sixteen_bits_are_stretched():
    image = np.linspace(1000, 3000, 3 * 200 * 100).reshape(3, 200, 100).astype(np.uint16)
    assert pixels(image_picture(image, size=48)).shape[:2] == (48, 24)
    assert to_rgb(image).min() == 0 and to_rgb(image).max() == 255


def test_two_channels_are_green_and_magenta():
    out = to_rgb(np.stack([np.full((2, 2), 200, np.uint8), np.zeros((2, 2), np.uint8)]))
    assert out[0, 0].tolist() == [0, 200, 0]


def test_positive_weights_are_warm_and_negative_ones_cold():
    weights = np.zeros((8, 8))
    weights[:4], weights[4:] = 1, -1
    out = pixels(image_picture(np.full((1, 8, 8), 128, np.uint8), weights=weights)).astype(int)
    assert (out[:4, :, 0] > out[:4, :, 2] + 80).all() and (out[4:, :, 2] > out[4:, :, 0] + 80).all()


def test_a_long_sequence_shows_its_heaviest_window():
    weights = np.zeros(200)
    weights[150:160] = -1
    picture = sequence_picture("A" * 150 + "CGTCGTCGTC" + "A" * 40, weights=weights, longest=40)
    assert picture["start"] <= 150 and picture["start"] + 40 >= 160 and len(picture["w"]) == len(picture["text"]) == 40
    assert sequence_picture("ACGT", weights=[1, 0, 0, 0])["text"] == "ACGT"
    assert sequence_picture("ACGT" * 50)["start"] == 0


def test_text_and_rows_are_cut():
    assert text_picture(["word"] * 60)["more"] == 20
    weighed = text_picture([f"w{k}" for k in range(100)], weights=[0.0] * 70 + [-1.0] * 5 + [0.0] * 25)
    assert (weighed["before"], weighed["more"]) == (35, 25) and weighed["words"][35:40] == ["w70", "w71", "w72", "w73", "w74"]
    assert weighed["w"][35:40] == [-1.0] * 5 and text_picture(["a", "b"], weights=[0, 1])["before"] == 0
    assert row_picture(["a", "b"], ["1", None])["cells"] == [["a", "1"], ["b", "missing"]]
