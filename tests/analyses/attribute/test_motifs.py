"""Motifs: a planted one comes back letter by letter, noise has none; a small network's gradients show the real one."""

import csv

import numpy as np
import pytest

from gnomon.analyses.attribute.motifs import information, motifs, occurrences
from gnomon.rng import stream

PLANTED = "CGACCGAACTCC"


def planted(n=120, length=50, noise=0.3, seed=0, turn=False):
    """Half the rows hold the motif; weights are 1 on its letters and noise everywhere."""
    dice = stream(seed, "sequences")
    texts, weights, starts = [], [], []
    for k in range(n):
        letters, weight = list("".join(dice.choice(list("ACGT"), length))), dice.normal(0, noise, length)
        if k % 2:
            start = int(dice.integers(0, length - len(PLANTED)))
            word = PLANTED if not (turn and k % 4 == 1) else PLANTED[::-1].translate(str.maketrans("ACGT", "TGCA"))
            letters[start:start + len(PLANTED)] = word
            weight[start:start + len(PLANTED)] += 1.0
            starts.append((k, start))
        texts.append("".join(letters))
        weights.append(weight)
    return texts, weights, starts


def test_a_planted_motif_comes_back_whole():
    texts, weights, starts = planted()
    found = motifs(texts, weights)
    assert len(found) == 1 and found[0].consensus == PLANTED
    assert {(r, s) for r, s, _ in found[0].sites} == set(starts) and found[0].rows == 60
    assert found[0].low < 12 < found[0].high and found[0].information.min() > 1
    again = occurrences(found[0], texts)
    assert set(starts) <= set(again) and len(again) <= len(starts) + 2


def test_rows_of_unlike_size_hide_nothing_from_each_other():
    """What a site is worth differs tenfold between rows, as a network's log-odds do; an empty row and a flat one besides."""
    texts, weights, starts = planted(n=48, noise=0.1, seed=3)
    weights = [w * np.exp(stream(3, "size", k).normal()) for k, w in enumerate(weights)]
    found = motifs([*texts, "", "ACGTACGTAC"], [*weights, np.zeros(0), np.zeros(10)])
    assert len(found) == 1 and found[0].consensus == PLANTED and found[0].rows >= len(starts) - 1


def test_both_strands_are_one_motif():
    texts, weights, starts = planted(turn=True)
    found = motifs(texts, weights, both_strands=True)
    turned = PLANTED[::-1].translate(str.maketrans("ACGT", "TGCA"))
    assert len(found) == 1 and found[0].consensus in (PLANTED, turned) and found[0].rows == 60
    assert {(r, s) for r, s, _ in found[0].sites} == set(starts)


def test_what_lowers_the_output_is_found_too_and_two_motifs_stay_two():
    texts, weights, _ = planted(seed=1)
    dice = stream(1, "second")
    for k in range(0, len(texts), 2):
        start = int(dice.integers(0, 40))
        texts[k] = texts[k][:start] + "TTGATTGATA" + texts[k][start + 10:]
        weights[k][start:start + 10] -= 1.0
    found = motifs(texts, weights)
    assert {m.consensus for m in found} == {PLANTED, "TTGATTGATA"}
    assert next(m for m in found if m.consensus[0] == "T").high < 0


def test_noise_has_no_motif():
    for k in range(6):
        texts = planted(n=60, seed=k)[0]
        assert not motifs(texts, [stream(k, "noise", r).normal(size=50) for r in range(60)])


def test_information_is_that_of_the_letters():
    even = np.full(4, 0.25)
    assert information(np.array([[100.0, 0, 0, 0]]), even)[0] == pytest.approx(2 - 3 / (2 * np.log(2) * 100))
    assert information(np.array([[25.0, 25, 25, 25]]), even)[0] == 0.0


@pytest.mark.slow
def test_a_small_network_shows_the_planted_motif_of_real_data(shared_data):
    """dna_motif: train a convolution for some seconds, explain held-out rows, cluster."""
    import torch
    from torch import nn

    from gnomon.analyses.attribute.integrated_gradients import integrated_gradients

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
    held = torch.arange(1500, 2000)
    assert (model(x[held]).argmax(1) == label[held]).float().mean() > 0.95
    mean = x[:1500].mean(dim=0, keepdim=True).expand(len(held), -1, -1)
    weights = integrated_gradients(model, x[held], lambda raw, rows: raw[:, 1] - raw[:, 0], steps=32, baseline=mean)
    weights = weights.sum(dim=1).numpy()
    found = motifs([texts[i] for i in held], list(weights))
    best = max(found, key=lambda m: m.value)
    assert PLANTED in best.consensus.upper() and len(best.consensus) <= 16
    assert best.rows > 0.8 * int(label[held].sum())
