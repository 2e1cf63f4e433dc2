"""Wrong labels where they can be told, and silence where they cannot."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from making import make

from gnomon.analyses.explore._aim import Aim, folds_of
from gnomon.analyses.explore._lapses import each_out_of_fold, lapse_rate
from gnomon.analyses.explore._misfits import beyond_normal, by_local_spread, misfits
from gnomon.analyses.explore._renamed import renamed
from gnomon.analyses.explore._views import full_view, quick_view
from gnomon.analyses.explore.suspect_labels import suspect_labels


def curve(rng, n, lapses, unrelated=False):
    """Probabilities that are honest, and labels drawn from them, of which a share `lapses` is flipped."""
    logit = rng.normal(0, 3, n)
    p = 1 / (1 + np.exp(-logit))
    y = (rng.random(n) < (0.5 if unrelated else p)).astype(int)
    flip = rng.random(n) < lapses
    return np.stack([1 - p, p], axis=1), np.where(flip, 1 - y, y), flip


def test_lapse_test_is_quiet_on_overlap_and_on_unrelated_labels_and_hears_lapses():
    said = {"overlap": 0, "unrelated": 0, "lapses": 0}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        said["overlap"] += lapse_rate(*curve(rng, 400, 0.0)[:2]).stands
        said["unrelated"] += lapse_rate(*curve(rng, 400, 0.0, unrelated=True)[:2]).stands
        said["lapses"] += lapse_rate(*curve(rng, 400, 0.1)[:2]).stands
    assert said["overlap"] <= 1 and said["unrelated"] == 0 and said["lapses"] >= 15


def test_shuffled_labels_are_no_wrong_labels():
    """Where the inputs say nothing about the class, no label can be called wrong."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6))
    for _ in range(3):
        data = make({**pd.DataFrame(x).add_prefix("x"), "target": rng.choice(["a", "b"], 300)})
        assert not suspect_labels(data, "target", np.arange(300), groups={}).findings


def test_a_target_of_few_levels_or_without_signal_is_not_contradicted():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 4))
    grade = np.clip(np.round(rng.normal(5.6, 0.8, 300)), 3, 8)
    for target in (grade, rng.standard_t(2, 300)):
        looked = suspect_labels(make({**pd.DataFrame(x).add_prefix("x"), "target": target}), "target", np.arange(300),
                                groups={})
        assert not looked.findings and not looked.checks[0].ran


def test_numbers_beyond_a_normal_law_are_counted_and_a_clean_one_has_hardly_any():
    rng = np.random.default_rng(2)
    clean = [len(beyond_normal(rng.normal(size=400) / 0.6745)) for _ in range(50)]
    residual = rng.normal(size=400) / 0.6745
    residual[:20] += 6
    assert np.mean(clean) < 1 and set(range(20)) <= set(beyond_normal(residual)) and len(beyond_normal(residual)) <= 40


def examined(x, y, seed=0):
    return misfits(x.astype(np.float32), Aim("target", np.arange(len(y)), y), seed)


def test_a_warning_lists_the_numbers_it_is_about_first_even_one_alone():
    """A single wrong value, and three in the narrow end of a fan, where the second order would put others first."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 4))
    y = x[:, 0] + 0.5 * x[:, 1] + 0.3 * rng.normal(size=400)
    y[0] += 20
    data = make(pd.DataFrame(x).add_prefix("x").assign(target=y))
    told = suspect_labels(data, "target", np.arange(400), groups={}).findings[0]
    assert told.grade == "warn" and told.rows[0] == 0 and "its inputs" in told.claim
    assert told.values["first"] == 1 and len(told.rows) == 20 and told.rows_total == 20  # the next most doubtful behind it
    y = x[:, 0] + 0.5 * x[:, 1] + 0.3 * np.random.default_rng(3).uniform(-2, 2, 400)
    y[0] = x[0, 0] + 0.5 * x[0, 1] + 2  # within the tail that may be, beyond a normal law
    data = make(pd.DataFrame(x).add_prefix("x").assign(target=y))
    told = suspect_labels(data, "target", np.arange(400), groups={}).findings[0]
    assert told.grade == "note" and told.rows[0] == 0 and told.claim.startswith("1 row lies far")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1500, 4))
    y = 3 * x[:, 0] + np.exp(x[:, 0]) * 0.1 * rng.normal(size=1500)
    low = np.flatnonzero(x[:, 0] < -1)[:3]
    y[low] += 3
    seen = examined(x, y)
    assert seen.stands and set(low) <= set(seen.order[:seen.beyond])


def test_numbers_are_doubted_alike_whatever_their_unit():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 4))
    y = x[:, 0] + 0.3 * rng.normal(size=300)
    y[:3] += 8
    plain = examined(x, y)
    for unit, shift in ((1e-15, 0.0), (1e12, 0.0), (1.0, 2_459_000.0)):
        other = examined(x, y * unit + shift)
        assert set(other.order[:3]) == {0, 1, 2} and np.allclose(other.doubt, plain.doubt, rtol=0.05, atol=0.05)
        assert np.allclose((other.guess - shift) / unit, plain.guess, atol=0.05)


def test_what_the_inputs_cannot_contradict_does_not_stand():
    y = np.random.default_rng(0).normal(size=400)
    y[:2] = 100
    seen = examined(np.random.default_rng(1).normal(size=(400, 4)), y)
    assert not seen.told and not seen.stands


def test_a_fan_is_evened_and_one_width_is_left_alone():
    rng = np.random.default_rng(3)
    guess, noise = np.linspace(0, 1, 2000), rng.normal(size=2000)
    fan = by_local_spread(noise * (0.2 + guess), guess)
    low, high = np.abs(fan[:500]).mean(), np.abs(fan[1500:]).mean()
    assert 0.8 < low / high < 1.25
    level = by_local_spread(noise[:400], guess[:400])
    assert np.corrcoef(np.argsort(np.argsort(level)), np.argsort(np.argsort(noise[:400])))[0, 1] > 0.999


def test_classes_that_part_cleanly_have_their_few_wrong_labels_listed():
    """No class is as sure of a wrong label as of its right ones: the confident joint alone counts too few."""
    rng = np.random.default_rng(4)
    y = np.repeat([0, 1], 150)
    x = rng.normal(size=(300, 5)) + 2.2 * y[:, None]
    wrong = rng.choice(300, 5, replace=False)
    said = y.copy()
    said[wrong] = 1 - said[wrong]
    data = make({**pd.DataFrame(x).add_prefix("x"), "target": np.array(["a", "b"])[said]})
    found = suspect_labels(data, "target", np.arange(300), groups={}).findings[0]
    assert len(set(found.rows[:6]) & set(wrong.tolist())) >= 4 and len(found.rows) <= 15


def clusters(rng, apart, rows=60, wide=1.0):
    """Five classes around points `apart` spreads from each other; the first `wide` times as broad."""
    y = np.repeat(np.arange(5), rows)
    x = rng.normal(size=(len(y), 6)) * np.where(y == 0, wide, 1.0)[:, None]
    return x + apart * np.eye(5, 6)[y], y


def test_one_class_named_as_another_is_told_and_named():
    rng = np.random.default_rng(5)
    x, y = clusters(rng, 3.0)
    said, moved = y.copy(), rng.choice(np.flatnonzero(y == 1), 24, replace=False)
    said[moved] = 3
    data = make(pd.DataFrame(x).add_prefix("x").assign(target=np.array(list("abcde"))[said]))
    finding = suspect_labels(data, "target", np.arange(len(y)), groups={}).findings[0]
    assert len(set(finding.rows[:24]) & set(moved)) >= 18 and "named 'd'" in finding.claim and "'b'" in finding.claim


def test_classes_that_overlap_evenly_or_of_unlike_breadth_are_not_called_renamed():
    said = 0
    for seed in range(6):
        x, y = clusters(np.random.default_rng(seed), 1.8, wide=1.0 + (seed % 2))
        aim = Aim("target", np.arange(len(y)), y, tuple("abcde"))
        said += renamed(each_out_of_fold(x, aim, folds_of(len(y), seed, "labels"), seed), y) is not None
    assert said <= 1


def test_a_pair_without_rows_is_no_pair():
    """Two models name the pair, a third is sure of another class for those very rows."""
    rng = np.random.default_rng(7)
    x, y = clusters(rng, 4.0)
    said = y.copy()
    said[rng.choice(np.flatnonzero(y == 1), 24, replace=False)] = 3
    aim = Aim("target", np.arange(len(y)), said, tuple("abcde"))
    one = each_out_of_fold(x, aim, folds_of(len(y), 0, "labels"), 0)[0]
    third = one.copy()
    third[said != y] = np.eye(5)[4]
    pair = renamed(np.stack([one, one, one]), said)
    assert (pair.named, pair.like) == (3, 1) and len(pair.rows) >= 18
    assert renamed(np.stack([one, one, 9 * third]), said) is None


def test_inputs_that_say_nothing_and_rare_classes_are_not_examined():
    rng = np.random.default_rng(8)
    blank = make(pd.DataFrame({"x": np.zeros(120), "target": rng.normal(size=120)}))
    rare = make(pd.DataFrame({"x": rng.normal(size=120), "target": np.where(np.arange(120) < 3, "a", "b")}))
    for data in (blank, rare):
        looked = suspect_labels(data, "target", np.arange(120), groups={})
        assert not looked.findings and not looked.checks[0].ran


def test_pictures_are_read_by_edges_and_texture_and_tables_as_they_are():
    """Stripes that lie elsewhere in each picture: no pixel tells which way they run."""
    rng = np.random.default_rng(6)
    lines = rng.integers(0, 2, (100, 1, 1, 24)) * 180 + rng.integers(0, 60, (100, 1, 24, 24))
    pixels = np.concatenate([lines[:50], lines[50:].transpose(0, 1, 3, 2)]).astype(np.uint8)
    said = np.repeat([0, 1], 50)
    wrong = rng.choice(100, 4, replace=False)
    said[wrong] = 1 - said[wrong]
    data = make({"image": pixels, "target": np.array(["down", "across"])[said]})
    assert set(wrong) <= set(suspect_labels(data, "target", np.arange(100), groups={}).findings[0].rows[:6])
    table = make(pd.DataFrame(rng.normal(size=(50, 3)), columns=list("abc")))
    quick = quick_view(table, np.arange(50), inputs=("a", "b"))
    assert np.array_equal(full_view(table, np.arange(50), inputs=("a", "b")), quick)


def test_a_class_of_one_row_says_nothing_on_the_terminal():
    rng = np.random.default_rng(9)
    y = np.repeat(["a", "b", "c"], [80, 60, 1])
    x = rng.normal(size=(141, 4)) + 2 * (y == "a")[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = make(pd.DataFrame(x).add_prefix("x").assign(target=y))
        assert suspect_labels(data, "target", np.arange(141), groups={}).checks
