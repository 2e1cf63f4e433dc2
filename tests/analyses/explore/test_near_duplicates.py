"""Near copies: where the limit of identity lies, and that density alone calls nothing a copy."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from making import make

from gnomon.analyses.explore._neighbours import crowd, dimension, nearest
from gnomon.analyses.explore.near_duplicates import least_shared, near_duplicates


@pytest.mark.parametrize("d", [3, 6, 12])
def test_dimension_of_normal_clouds(d):
    """Known answer: a cloud in d dimensions; copies of a fifth or a third of the rows at most halve it."""
    rng = np.random.default_rng(d)
    cloud = rng.normal(size=(800, d)).astype(np.float32)
    plain = dimension(nearest(cloud)[0])
    assert 0.6 * d < plain < 1.3 * d
    copied = np.concatenate([cloud, cloud[:90] + 1e-4 * rng.normal(size=(90, d)).astype(np.float32)])
    assert 0.35 * plain <= dimension(nearest(copied)[0]) <= 1.1 * plain
    third = np.concatenate([cloud, cloud[:150] + 1e-4 * rng.normal(size=(150, d)).astype(np.float32)])
    assert dimension(nearest(third)[0]) >= 0.35 * plain


@pytest.mark.parametrize("shape", ["normal", "heavy", "two densities"])
def test_clean_clouds_hold_no_near_copies(shape):
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(20):
        x = rng.standard_t(3, (400, 8)) if shape == "heavy" else rng.normal(size=(400, 8))
        if shape == "two densities":
            x[:200] *= 0.1
        alarms += bool(near_duplicates(make(pd.DataFrame(x).add_prefix("x"))).findings)
    assert alarms <= 1


def test_rows_copied_with_noise_are_named():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 8))
    rows = rng.choice(400, 10, replace=False)
    both = np.concatenate([x, x[rows] + 0.02 * rng.normal(size=(10, 8))])
    looked = near_duplicates(make(pd.DataFrame(both).add_prefix("x")))
    assert set(looked.findings[0].rows) == {*rows.tolist(), *range(400, 410)} and looked.findings[0].grade == "warn"


def test_heavy_columns_do_not_hide_copies():
    """Noise in shares of a column's standard deviation: in robust spreads it would be many times that where tails are heavy."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 10))
    x[:, :3] = np.exp(1.5 * x[:, :3])
    rows = rng.choice(400, 10, replace=False)
    both = np.concatenate([x, x[rows] + 0.1 * x.std(axis=0) * rng.normal(size=(10, 10))])
    looked = near_duplicates(make(pd.DataFrame(both).add_prefix("x")))
    truth = {*rows.tolist(), *range(400, 410)}
    assert len(truth & set(looked.findings[0].rows)) >= 19 and len(looked.findings[0].rows) <= 21


def test_the_chance_of_a_crowd_is_kept_wherever_three_dimensions_vary():
    """Known law: ratios u^(1/d) number as r^d, at most as r^3 for any mixture of d >= 3."""
    rng = np.random.default_rng(4)
    for d, least in ((3, 0.002), (rng.integers(3, 9, 300), 0.0)):
        called = [crowd(np.sort(rng.random(300) ** (1 / d)), most=60)[1] < 0.2 for _ in range(400)]
        assert least <= np.mean(called) <= 0.2


def test_a_crowd_is_counted_where_no_gap_ends_it():
    rng = np.random.default_rng(5)
    near = np.sort(np.concatenate([rng.random(300) ** (1 / 3), 0.02 + 0.08 * rng.random(12), [0.1, 0.12, 0.13]]))
    count, chance = crowd(near, most=60)
    assert 8 <= count <= 15 and near[count - 1] <= 0.13 and chance < 1e-6
    assert crowd(near[:20], most=4) == (0, 1.0)  # too few beside it


@pytest.mark.parametrize("d", [5, 6, 10])
def test_a_dense_place_is_no_crowd_of_copies(d):
    """A seventh of the rows in a twentieth of the room: their distances are far smaller, their ratios are not."""
    rng = np.random.default_rng(8)
    alarms = 0
    for _ in range(15):
        cloud = rng.normal(size=(400, d))
        cloud[:60] = 0.05 * cloud[:60] + 1.0
        alarms += bool(near_duplicates(make(pd.DataFrame(cloud).add_prefix("x"))).findings)
    assert alarms <= 1


def test_copies_among_rows_that_are_close_anyway(shared_data):
    """The red wines hold close rows of their own, next to each other in the file and mostly of one quality: no gap parts
    copies from them."""
    frame = pd.read_csv(shared_data / "tables_uci" / "wine_quality_red.csv")
    frame = frame.drop_duplicates(frame.columns[:-1]).drop(columns="quality")
    for seed in range(3):
        rng = np.random.default_rng(seed)
        table = frame.sample(400, random_state=seed).to_numpy()
        rows = rng.choice(400, 10, replace=False)
        both = np.concatenate([table, table[rows] + 0.05 * table.std(axis=0) * rng.normal(size=(10, 11))])
        named = set(near_duplicates(make(pd.DataFrame(both).add_prefix("x"))).findings[0].rows)
        truth = {*rows.tolist(), *range(400, 410)}
        assert len(named & truth) >= 16 and len(named) <= 32


@pytest.mark.parametrize(("detail", "letters"), [("DNA", "ACGT"), ("protein", "ACDEFGHIKLMNPQRSTVWY")])
def test_identity_of_95_percent_is_near_and_of_60_is_not(detail, letters):
    rng = np.random.default_rng(1)
    texts = [list(rng.choice(list(letters), 120)) for _ in range(80)]

    def changed(text, share):
        return [str(rng.choice([c for c in letters if c != t])) if rng.random() < share else t for t in text]

    for share, found in ((0.05, True), (0.4, False)):
        rows = texts + [changed(t, share) for t in texts[:8]]
        data = make({"s": ["".join(r) for r in rows]}, kinds={"s": "sequence"}, details={"s": detail})
        looked = near_duplicates(data)
        assert [f.code for f in looked.findings] == (["LOOK-NEAR-DUPLICATE"] if found else [])
        if found:
            assert set(range(80, 88)) <= set(looked.findings[0].rows)


def test_least_shared_follows_the_law_of_pieces():
    """J = q^k / (2 - q^k) less two standard errors of 120 places, and not below the limit of relatives."""
    whole = 0.9**2 / (2 - 0.9**2)
    assert least_shared(2) == pytest.approx(whole - 2 * (whole * (1 - whole) / 120) ** 0.5)
    assert least_shared(6) == 0.35
