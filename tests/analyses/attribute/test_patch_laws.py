"""Patches redrawn as the pixels around them suggest, against closed forms and against what deletion says."""

from __future__ import annotations

import numpy as np
import pytest
from attribution_fakes import Formula, table, values
from test_techniques import case_of

from gnomon.analyses.attribute._patch_laws import RIDGE, normal_given, patch_law
from gnomon.analyses.attribute._redrawing import DRAWS, by_redrawing, redrawn, redraws
from gnomon.analyses.attribute.occlusion import of_pieces as occlusion
from gnomon.rng import stream
from gnomon.tasks.regress import regress


@pytest.mark.parametrize("count", [40, 6])
def test_the_conditional_is_the_one_that_covariances_give(count):
    dice = stream(1, "normal")
    around, away = dice.normal(size=(count, 9)), dice.normal(size=(count, 4))
    around, away = around - around.mean(axis=0), away - away.mean(axis=0)
    inner, cross, own = (a.T @ b / (count - 1) for a, b in ((around, around), (around, away), (away, away)))
    inner[np.diag_indices(9)] += RIDGE * np.trace(inner) / 9
    slope, root = normal_given(around, away)
    assert np.allclose(slope, np.linalg.solve(inner, cross)) and len(root) == min(count, 4)
    assert np.allclose(root.T @ root, own - cross.T @ slope)


def test_draws_follow_the_law_at_the_middle_and_at_the_edges():
    """Images whose every column is of one brightness: a patch is known from the frame, noise apart, wherever it is."""
    dice = stream(2, "stripes")
    images = np.repeat(dice.normal(size=(250, 1, 1, 20)), 19, axis=2) + 0.1 * dice.normal(size=(250, 1, 19, 20))
    law = patch_law(images[:200], (2, 3), dice)
    for span in ((6, 8, 9, 12), (0, 2, 0, 3), (18, 19, 18, 20)):  # the last is cut short
        made = law.drawn(images[200:], span, 40, dice)
        top, bottom, left, right = span
        assert made.shape == (50, 40, 1, bottom - top, right - left)
        truth = images[200:, 0, :, left:right].mean(axis=1)[:, None]
        assert np.abs(made.mean(axis=1)[:, 0] - truth).mean() < 0.15 < np.abs(truth).mean() / 3
        assert made.std(axis=1).mean() == pytest.approx(0.1, abs=0.05)


def shining(images, weight):
    data = table({"image:i": images, "y": np.arange(float(len(images)))})
    return case_of(Formula(lambda d, r: (weight * values(d, r, "i")[0]).sum(axis=(1, 2, 3))), regress("y"), data, np.arange(5))


def test_pixels_that_hang_on_nothing_give_what_a_line_gives():
    """White noise and a sum of one patch's pixels: the difference is the patch's sum less its mean, else nothing."""
    dice, weight = stream(3, "noise"), np.zeros((1, 16, 16))
    weight[0, 4:6, 4:6] = 1.0
    images = dice.integers(0, 256, (300, 1, 16, 16)).astype(np.uint8)
    case = shining(images, weight)
    found = np.array(redrawn(case, case.ground()))
    wanted = images[:5, 0, 4:6, 4:6].sum(axis=(1, 2)) - 4 * 127.5
    hit = found[:, 2 * 8 + 2]
    spread = 2 * 74 / np.sqrt(DRAWS)  # of the mean of four pixels' sum over the draws
    assert np.abs(hit - wanted).mean() < 1.5 * spread and np.corrcoef(hit, wanted)[0, 1] > 0.9
    assert np.abs(np.delete(found, 2 * 8 + 2, axis=1)).max() < 1e-9


def test_a_patch_that_its_surroundings_tell_gets_little_and_a_deletion_says_otherwise():
    """Images of one brightness each, one patch of which is read."""
    dice, weight = stream(4, "even"), np.zeros((1, 16, 16))
    weight[0, 4:6, 4:6] = 0.25
    images = np.clip(dice.integers(60, 200, (200, 1, 1, 1)) + dice.normal(0, 2, (200, 1, 16, 16)), 0, 255).astype(np.uint8)
    case = shining(images, weight)
    ground = case.ground()
    told, deleted = (np.abs([s[18] for s in scores]).mean() for scores in (redrawn(case, ground), occlusion(ground)))
    assert told < 3 < 15 < deleted


def test_copies_see_the_same_draws_and_a_study_gets_patches_of_every_form():
    images = stream(5, "forms").integers(0, 256, (60, 3, 10, 13)).astype(np.uint8)
    case = shining(images, np.ones((3, 10, 13)))
    first, again = (list(redraws(case, case.ground())) for _ in range(2))
    assert all(np.array_equal(a.data.columns["i"].take(np.arange(50)), b.data.columns["i"].take(np.arange(50)))
               for a, b in zip(first, again, strict=True)) and len(first) == len(case.ground().pieces[0])
    attempt = by_redrawing(case, technique="prediction_difference")
    assert attempt.pieces == "patches" and all(np.isfinite(s).all() for s in attempt.scores)
    fewer = case.only(np.arange(2))
    assert np.allclose(redrawn(fewer, fewer.ground())[1], attempt.scores[1])
