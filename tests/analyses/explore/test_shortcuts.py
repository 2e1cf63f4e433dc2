"""Cues a model could read, planted and absent; descriptions of files that tell one class of many."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from making import column, make

from gnomon.analyses.explore._aim import aim_of
from gnomon.analyses.explore._cues import goes_with
from gnomon.analyses.explore.leaks import leaks
from gnomon.analyses.explore.shortcuts import shortcuts


def pictures(rng, n=240):
    return rng.integers(30, 200, (n, 1, 24, 24)).astype(np.uint8)


def look(check, data):
    return check(data, "target", np.arange(len(data)), groups={})


def cue_names(looked):
    return [name for f in looked.findings if f.code == "VALID-SHORTCUT" for name in f.values]


def test_a_bright_corner_in_one_of_six_classes():
    rng = np.random.default_rng(0)
    pixels, y = pictures(rng), rng.integers(0, 6, 240)
    names = np.array([f"class {v}" for v in y])
    assert not cue_names(look(shortcuts, make({"image": pixels, "target": names})))
    pixels[y == 2, :, 1:4, 1:4] = 255
    named = cue_names(look(shortcuts, make({"image": pixels, "target": names})))
    assert named[0] == "corner top left" and not any("corner bottom" in n for n in named)


@pytest.mark.parametrize("cue", ["length", "GC share"])
def test_length_and_gc(cue):
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 300)
    plain = ["".join(rng.choice(list("ACGT"), rng.integers(50, 70))) for _ in y]
    data = make({"s": plain, "target": np.where(y, "a", "b")}, kinds={"s": "sequence"}, details={"s": "DNA"})
    assert not cue_names(look(shortcuts, data))
    made = [(s + s[:15] if cue == "length" else s.replace("A", "G", 6)) if v else s for s, v in zip(plain, y, strict=True)]
    data = make({"s": made, "target": np.where(y, "a", "b")}, kinds={"s": "sequence"}, details={"s": "DNA"})
    assert cue in cue_names(look(shortcuts, data))


def test_salts_of_molecules_against_a_number():
    rng = np.random.default_rng(2)
    y = rng.normal(size=200)
    smiles = np.array(["C" * int(k) + "O" for k in rng.integers(1, 12, 200)], dtype=object)
    assert not cue_names(look(shortcuts, make({"m": smiles, "target": y}, kinds={"m": "molecule"})))
    smiles[y > 0] = smiles[y > 0] + ".Cl"
    assert cue_names(look(shortcuts, make({"m": smiles, "target": y}, kinds={"m": "molecule"}))) == ["number of parts"]


def test_false_cues_stay_rare():
    """Shuffled targets: FDR over cues keeps notes rare."""
    rng = np.random.default_rng(3)
    pixels = pictures(rng, 200)
    noted = sum(bool(cue_names(look(shortcuts, make({"image": pixels, "target": rng.choice(list("abc"), 200)}))))
                for _ in range(40))
    assert noted <= 1


def test_file_size_that_tells_one_class_of_ten_is_warned_of():
    """Balanced over ten classes such a column predicts little; against the rest it tells one class for sure."""
    rng = np.random.default_rng(4)
    y = rng.integers(0, 10, 400)
    width = np.where(y == 3, rng.integers(900, 1000, 400), rng.integers(400, 500, 400)).astype(float)
    frame = {"image": pictures(rng, 400), "target": np.array([f"c{v}" for v in y])}
    for values, warned in ((width, True), (rng.permutation(width), False)):
        data = make({**frame, "file:width": column(values)}, roles={"file:width": "ignore"})
        hit = [f for f in look(leaks, data).findings if f.code == "LOOK-LEAK"]
        assert [f.columns for f in hit] == ([("file:width",)] if warned else [])
    assert look(leaks, data).exclude == {}


def test_goes_with_takes_the_best_cut_and_pays_for_trying():
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, 400)
    aim = aim_of(make({"target": np.where(y, "a", "b")}), "target", np.arange(400))
    size, p = goes_with(np.where(y, 3.0, 1.0) + rng.random(400), aim)
    assert size > 0.85 and p < 1e-20  # the nearest eighth lies a little beside the step
    ps = [goes_with(rng.normal(size=400), aim)[1] for _ in range(200)]
    assert np.mean(np.array(ps) < 0.05) <= 0.08
