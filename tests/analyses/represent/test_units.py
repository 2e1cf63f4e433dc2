"""Units: tuned ones are named, planted detectors are found, and shuffled concepts and noise are not."""

import csv

import numpy as np
import pytest
from scipy.stats import binom, f_oneway, rankdata, spearmanr

from gnomon.analyses.represent._concepts import of_column, of_motif, of_substructure
from gnomon.analyses.represent.network_dissection import network_dissection
from gnomon.analyses.represent.unit_responses import unit_responses
from gnomon.errors import InputError
from gnomon.rng import stream


def test_tuning_equals_scipys_rank_correlation_and_f_on_ranks():
    dice = stream(0, "tuning")
    units, dose = dice.normal(size=(60, 4)), dice.normal(size=60)
    site = np.array(["a", "b", "c"])[dice.integers(0, 3, 60)]
    units[:, 1] += 2 * dose
    units[:, 2] += 3.0 * (site == "b")
    found = unit_responses(units, {"dose": dose, "site": site}, level=1.0)
    assert found.tested == 8
    rho = next(t for t in found.of(1) if t.column == "dose")
    assert rho.value == pytest.approx(spearmanr(units[:, 1], dose).statistic)
    f = next(t for t in found.of(2) if t.column == "site")
    ranks = rankdata(units[:, 2])
    assert f.value == pytest.approx(f_oneway(*(ranks[site == s] for s in "abc")).statistic)
    assert (found.top[1] == np.argsort(-units[:, 1])[:9]).all()


def test_tuned_units_are_named_and_missing_values_left_out():
    dice = stream(1, "tuning")
    units, dose = dice.normal(size=(200, 30)), dice.normal(size=200)
    dose[:20] = np.nan
    units[20:, 7] = dose[20:] ** 3
    units[:, 9] = 1.0  # a dead unit
    found = unit_responses(units, {"dose": dose})
    assert found.tuning[0].unit == 7 and found.tuning[0].value == pytest.approx(1.0)
    assert not found.of(9)


def test_noise_is_rarely_called_tuned():
    """Without any tuning, a family of 60 pairs has a false finding in at most 5 % of cases."""
    wrong = 0
    for k in range(100):
        dice = stream(k, "noise")
        columns = {"a": dice.normal(size=40), "b": np.array(["x", "y"])[dice.integers(0, 2, 40)]}
        wrong += bool(unit_responses(np.exp(dice.normal(size=(40, 30))), columns).tuning)
    assert wrong <= binom.ppf(0.999, 100, 0.05)


def planted(n=80, size=8):
    """Masks of squares at random places; unit 3 equals them, unit 5 is a blurred, noisy copy, the rest is noise."""
    dice = stream(2, "masks")
    mask = np.zeros((n, size, size), dtype=bool)
    for m, (y, x) in zip(mask, dice.integers(0, size - 2, (n, 2)), strict=True):
        m[y:y + 3, x:x + 3] = True
    units = dice.normal(size=(n, 8, size, size))
    units[:, 3] = mask
    units[:, 5] = 1.5 * mask + dice.normal(size=mask.shape)
    other = dice.permutation(mask)
    return units, {"square": mask, "elsewhere": other}


def test_planted_detectors_are_found_and_nothing_else():
    units, concepts = planted()
    found = network_dissection(units, concepts, share=0.15, repeats=99)
    assert {(d.unit, d.concept) for d in found.found} == {(3, "square"), (5, "square")}
    assert found.found[0].unit == 3 and found.found[0].iou == 1.0


def test_coarse_maps_are_brought_to_the_masks_and_dead_units_detect_nothing():
    units, concepts = planted()
    coarse = units.reshape(80, 8, 4, 2, 4, 2).mean(axis=(3, 5))
    coarse[:, 0] = 0.0
    found = network_dissection(coarse, concepts, share=0.15, repeats=99)
    assert ("square" in {d.concept for d in found.found if d.unit == 3}) and (found.iou[0] == 0).all()


def test_shuffled_masks_have_no_detector():
    """Under the null the chance of any detector among 80 pairs is at most 5 %."""
    wrong = 0
    for k in range(100):
        dice = stream(k, "shuffled")
        rare = dice.random((60, 4)) < np.array([0.05, 0.2, 0.5, 0.8])
        units = np.maximum(dice.normal(size=(60, 20)), 0)
        wrong += bool(network_dissection(units, {str(j): rare[:, j] for j in range(4)}, repeats=39, seed=k).found)
    assert wrong <= binom.ppf(0.999, 100, 0.05)


def test_concepts_of_columns_motifs_and_substructures():
    assert of_column(np.array(["a", None, "b"], dtype=object), "site")["site=a"].tolist() == [True, False, False]
    assert of_motif(["ACACA", "GGG"], "ACA").tolist() == [[True] * 5, [False] * 5]
    assert of_motif(["TTAGT"], "RS").tolist() == [[False, False, True, True, False]]
    assert of_substructure(["CCO", "CCN", "oops"], "[OX2H]").tolist() == [True, False, False]


def test_misfits_are_refused():
    with pytest.raises(InputError, match="E-ACTIVATIONS"):
        network_dissection(np.zeros((5, 2)), {"a": np.zeros((4,), bool)})
    with pytest.raises(InputError, match="E-ACTIVATIONS"):
        network_dissection(np.zeros((5, 2)), {"a": np.zeros((5, 3), bool)})
    with pytest.raises(InputError, match="E-ACTIVATIONS"):
        unit_responses(np.zeros((5, 2, 2)), {})


@pytest.mark.slow
def test_a_trained_network_has_a_motif_detector_and_writes_the_motif(shared_data):
    """dna_motif: some filter responds where the planted motif stands, none to a motif that is not there to be learned,
    and the sequence that drives the output most holds it."""
    import torch
    from torch import nn

    from gnomon.analyses.represent.layers import layers
    from gnomon.analyses.represent.optimal_sequence import optimal_sequence

    with open(shared_data / "dna_motif" / "dna_motif.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    texts, label = [r["sequence"] for r in rows], torch.tensor([int(r["label"]) for r in rows])
    x = torch.from_numpy(np.eye(4, dtype=np.float32)[[["ACGT".index(c) for c in t] for t in texts]]).transpose(1, 2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv1d(4, 24, 12), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(24, 2))
        optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
        for _ in range(12):
            for batch in torch.randperm(1500).split(32):
                loss = nn.functional.cross_entropy(model(x[batch]), label[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    maps = layers(model, x[1500:], ("1",), pool="keep")["1"]
    held = texts[1500:]
    begins = np.array([[t.startswith("CGACCGAACTCC", k) for k in range(maps.shape[2])] for t in held])
    found = network_dissection(maps, {"planted": begins, "other": of_motif(held, "TTAAG")[:, :maps.shape[2]]}, repeats=39)
    assert found.found and {d.concept for d in found.found} == {"planted"} and found.found[0].iou > 0.3
    best = optimal_sequence(lambda hot: (model(hot.transpose(1, 2)) * torch.tensor([-1.0, 1.0])).sum(1), 50, 4, model=model)
    reads = of_motif(best.texts("ACGT"), "CCGAAC")  # the middle of the motif; its ends weigh less
    assert reads[0].any() and best.local[0]
