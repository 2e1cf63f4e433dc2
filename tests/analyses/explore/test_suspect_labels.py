"""Wrong labels where they can be told, and silence where they cannot."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from making import make

from gnomon.analyses.explore._lapses import lapse_rate
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
