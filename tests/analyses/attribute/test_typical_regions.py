"""Typical regions: found where they were put, measured as not aligned where the cue wanders, silent on noise."""

import numpy as np

from gnomon.analyses.attribute.typical_regions import typical_regions
from gnomon.rng import stream


def test_a_fixed_cue_is_a_region_and_a_wandering_one_gives_its_patches():
    dice = stream(0, "regions")
    maps, labels = 0.2 * dice.normal(size=(60, 24, 24)), ["fixed"] * 35 + ["wanders"] * 25
    places = dice.integers(0, 8, (25, 2)) * 3
    maps[:35, 3:9, 15:21] += 1.0
    for k, (top, left) in enumerate(places):
        maps[35 + k, top:top + 3, left:left + 3] += 2.0
    fixed, wanders = typical_regions(maps, labels)
    assert (fixed.label, fixed.rows, fixed.aligned) == ("fixed", 35, True) and fixed.alike_low > 0
    cue = np.zeros((8, 8), dtype=bool)
    cue[1:3, 5:7] = True
    assert fixed.kept[cue].all() and (fixed.value[cue] > fixed.value[~cue].max()).all()
    assert (fixed.low[cue] > 0).all() and (fixed.low <= fixed.value).all() and (fixed.value <= fixed.high).all()
    assert not wanders.aligned and len(wanders.top) == 8
    assert all((cell[0] * 3, cell[1] * 3) == tuple(places[row - 35]) for row, cell in wanders.top)


def test_noise_has_no_region():
    """At most 2.5 % of classes of noise are aligned, and 5 % of those have a cell left: of 60 the bound is the binomial's."""
    dice = stream(1, "noise")
    found = [typical_regions(dice.normal(size=(20, 16, 16)), ["a"] * 20)[0] for _ in range(60)]
    assert sum(f.aligned for f in found) <= 5 and sum(f.kept.any() for f in found) <= 8


def test_units_count_once_and_small_classes_are_left_out():
    dice = stream(2, "units")
    maps = dice.normal(size=(12, 16, 16))
    assert typical_regions(maps, ["a"] * 12, units=np.repeat(np.arange(4), 3)) == ()
    assert [r.label for r in typical_regions(maps, ["a"] * 8 + ["b"] * 4)] == ["a"]
    doubled = typical_regions(np.repeat(maps, 2, axis=0), ["a"] * 24, units=np.repeat(np.arange(12), 2))[0]
    once = typical_regions(maps, ["a"] * 12)[0]
    assert np.allclose(doubled.value, once.value) and np.allclose(doubled.low, once.low)
    assert typical_regions(np.zeros((6, 8, 8)), ["a"] * 6) == ()
