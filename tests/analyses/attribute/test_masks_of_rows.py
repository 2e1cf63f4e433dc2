"""Masks over tokens, graphs and several inputs: planted positions and atoms are found, areas held, rows each by itself."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
import torch
from backward_nets import kept
from sklearn.metrics import roc_auc_score
from test_computed import molecules
from torch import nn

from gnomon.analyses.attribute._computed import Lost
from gnomon.analyses.attribute._masks import covered
from gnomon.analyses.attribute._techniques import attributed
from gnomon.analyses.attribute.extremal_perturbation import extremal_perturbation
from gnomon.analyses.attribute.gnn_explainer import gnn_explainer
from gnomon.analyses.attribute.integrated_gradients import integrated_gradients
from gnomon.analyses.attribute.occlusion import of_pieces as occlusion
from gnomon.analyses.attribute.optimised_mask import optimised_mask
from gnomon.data.kinds import Graphs, Tokens
from gnomon.errors import InputError

CUE, LENGTHS = 7, (30, 20, 26)


class Cue(nn.Module):
    """How often the cue's code stands side by side with itself, whatever the rest; one-hot embeddings."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 8, padding_idx=0)
        with torch.no_grad():
            self.table.weight.copy_(torch.cat([torch.zeros(1, 8), torch.eye(8)]))

    def forward(self, tokens):
        seen = self.table(tokens.ids)[..., CUE - 1]
        return (seen[:, 1:] * seen[:, :-1]).sum(dim=1, keepdim=True)


def phrases():
    """Three rows of 20 to 30 codes, in each a run of three cues; and where it is."""
    dice = torch.Generator().manual_seed(2)
    ids = torch.randint(1, 6, (3, 30), generator=dice)
    mask = torch.arange(30) < torch.tensor(LENGTHS)[:, None]
    truth = torch.zeros(3, 30, dtype=torch.bool)
    for row, start in enumerate((4, 11, 20)):
        truth[row, start:start + 3] = True
    return Tokens(torch.where(truth, CUE, ids) * mask, mask), truth


def graphs():
    """Four chains of 5 to 8 atoms of two features; the first feature counts, and only where it is above 1."""
    dice = torch.Generator().manual_seed(3)
    sizes = torch.tensor([5, 8, 6, 7])
    owner = torch.arange(4).repeat_interleave(sizes)
    nodes = torch.rand(len(owner), 2, generator=dice)
    truth = torch.zeros(len(owner), dtype=torch.bool)
    truth[[1, 2, 7, 8, 15, 16, 20, 21]] = True
    nodes[truth, 0] = 3.0
    start = torch.tensor([i for i in range(len(owner) - 1) if owner[i] == owner[i + 1]])
    edges = torch.stack([torch.stack([start, start + 1], 1).flatten(), torch.stack([start + 1, start], 1).flatten()])
    return Graphs(nodes, edges, torch.ones(edges.shape[1], 1), owner, 4), truth


class Heavy(nn.Module):
    """Log-odds: what the heavy atoms have above 1, less what any two of them would have."""

    def forward(self, graph):
        worth = torch.relu(graph.nodes[:, 0] - 1)
        return torch.zeros(graph.count).index_add(0, graph.owner, worth)[:, None] - 2


def by_row(found, truth, there):
    return [roc_auc_score(t[m], f[m]) for f, t, m in zip(found, truth, there, strict=True)]


@pytest.mark.parametrize("technique", [optimised_mask, extremal_perturbation])
def test_a_planted_run_of_tokens_is_found_and_padding_is_nothing(technique):
    tokens, truth = phrases()
    found = technique(Cue(), tokens, None)
    assert found.shape == tokens.ids.shape and (found[~tokens.mask] == 0).all()
    assert min(by_row(found, truth, tokens.mask)) > 0.95


def test_a_sequences_mask_has_the_area_asked_for():
    tokens, _ = phrases()
    mask = extremal_perturbation(Cue(), tokens, None, areas=(0.2,), steps=150)
    assert torch.allclose(mask.sum(dim=1), (0.2 * torch.tensor(LENGTHS)).round(), atol=1)


@pytest.mark.parametrize("technique", [optimised_mask, extremal_perturbation, gnn_explainer])
def test_planted_atoms_are_found_in_graphs_of_any_size_each_by_itself(technique):
    graph, truth = graphs()
    options = {"areas": (0.3,)} if technique is extremal_perturbation else {}
    found = technique(Heavy(), graph, None, **options)
    rows = [graph.owner == i for i in range(4)]
    assert found.shape == graph.owner.shape and found.min() >= 0 and found.max() <= 1
    assert all(roc_auc_score(truth[r], found[r]) == 1 for r in rows)
    few = technique(Heavy(), graph, None, chunk=2, **options)
    assert torch.allclose(found, few, atol=1e-4)


def test_a_graphs_mask_has_the_area_asked_for():
    graph, _ = graphs()
    mask = extremal_perturbation(Heavy(), graph, None, areas=(0.3,), steps=150)
    kept = torch.zeros(4).index_add(0, graph.owner, (mask > 0.5).float())
    assert kept.tolist() == [2, 2, 2, 2]


def test_what_is_kept_is_enough_and_what_has_no_say_is_dropped():
    """The explainer keeps the heavy atoms whole, as the odds hang on them alone; without the price of an atom all may stay."""
    graph, truth = graphs()
    found = gnn_explainer(Heavy(), graph, None, steps=300)
    bonded = found[truth].min(), found[~truth].max()
    assert bonded[0] > 0.45 and bonded[1] < 0.1  # bonds have no say, and half of an atom's number is its bonds'
    dear = gnn_explainer(Heavy(), graph, None, steps=300, odds=False)
    assert dear[truth].min() > 0.45 > dear[~truth].max()
    with pytest.raises(InputError, match="reads none"):
        gnn_explainer(nn.Linear(2, 1), torch.ones(3, 2), None)


def test_of_several_outputs_the_targets_odds_are_kept():
    class Two(nn.Module):
        def forward(self, graph):
            return torch.cat([torch.zeros(graph.count, 1), Heavy()(graph)], dim=1)

    graph, _ = graphs()
    one, two = gnn_explainer(Heavy(), graph, None, steps=20), gnn_explainer(Two(), graph, 1, steps=20)
    assert torch.allclose(one, two, atol=1e-5)


def test_bonds_the_model_reads_are_found():
    class Bonds(nn.Module):
        """Counts one kind of bond."""

        def forward(self, graph):
            return torch.zeros(graph.count).index_add(0, graph.owner[graph.edges[0]], graph.edge_features[:, 0])[:, None] - 1

    graph, _ = graphs()
    features = torch.zeros(graph.edges.shape[1], 1)
    features[:2] = 2.0
    features[14:16], features[24:26], features[40:42] = 2.0, 2.0, 2.0  # one bond a chain
    graph = graph._replace(edge_features=features)
    touched = torch.zeros(len(graph.owner)).index_add(0, graph.edges[0], features[:, 0])
    for technique in (optimised_mask, gnn_explainer):
        found = technique(Bonds(), graph, None)
        for row in range(4):
            mine = graph.owner == row
            assert roc_auc_score(touched[mine] > 0, found[mine]) > 0.9


def test_a_mask_gains_nothing_below_the_empty_row():
    """Without column 1 alone the output falls far below that of nothing; a mask that paid for it would take both."""
    class Deep(nn.Module):
        def forward(self, x):
            return (x[:, 0] - 5 * (1 - x[:, 1]) * x[:, 2])[:, None]

    found = optimised_mask(Deep(), torch.ones(2, 3), None)
    assert found.sum(dim=1).max() < 0.6 and Deep()(1 - found).max() < 0.3


def test_an_area_is_found_among_atoms_that_all_count_alike_and_fall_to_nothing_first():
    """One atom of six, beside a larger graph: what has been masked whole may come back, and padding takes no part."""
    class Sum(nn.Module):
        def forward(self, graph):
            return -torch.zeros(graph.count).index_add(0, graph.owner, graph.nodes.sum(dim=1)).exp()[:, None]

    owner = torch.tensor([0] * 6 + [1] * 12)
    none = torch.zeros(2, 0, dtype=torch.long)
    graph = Graphs(torch.full((18, 2), 0.2), none, torch.zeros(0, 1), owner, 2)
    mask = extremal_perturbation(Sum(), graph, None, areas=(0.17,), steps=120)
    assert torch.zeros(2).index_add(0, owner, (mask > 0.9).float()).tolist() == [1, 2]


def test_several_inputs_share_one_mask_a_row():
    """Tokens and columns in a dict: only the two that count go."""
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.cue = Cue()

        def forward(self, given):
            return self.cue(given["words"]) + 3 * given["numbers"][:, 1:2]

    tokens, truth = phrases()
    found = optimised_mask(Both(), {"words": tokens, "numbers": torch.ones(3, 4)}, None)
    assert set(found) == {"words", "numbers"} and found["numbers"][:, 1].min() > 0.9
    assert found["numbers"][:, [0, 2, 3]].max() < 0.1 and min(by_row(found["words"], truth, tokens.mask)) > 0.95


def test_what_is_computed_from_a_graph_is_right_with_no_atom_one_or_all_gone():
    dice = torch.Generator().manual_seed(5)
    owner, worth = torch.tensor([0, 0, 0, 1, 1]), torch.rand(5, generator=dice)

    def properties(kept):
        total = torch.zeros(2).index_add(0, owner, worth * kept)
        return torch.stack([total, total**2, total.sin()], dim=1)

    x = properties(torch.ones(5))
    one = torch.stack([(x - properties(torch.ones(5).index_fill(0, torch.tensor([a]), 0)))[owner[a]] for a in range(5)])
    lost = Lost("graph", one, x - properties(torch.zeros(5)))
    assert torch.allclose(lost(x, torch.ones(5), owner), x) and torch.allclose(lost(x, torch.zeros(5), owner),
                                                                               properties(torch.zeros(5)), atol=1e-6)
    for a in range(5):
        kept = torch.ones(5).index_fill(0, torch.tensor([a]), 0)
        assert torch.allclose(lost(x, kept, owner), properties(kept), atol=1e-6)


@pytest.mark.parametrize("technique", ["optimised_mask", "extremal_perturbation", "gnn_explainer"])
def test_a_molecule_is_masked_with_its_computed_properties(technique):
    """A network that reads nothing but properties: its atoms are found all the same, by masks of what counts most those
    whose deletion takes most."""
    case = molecules(curved=False)
    ground = case.ground()
    found, agree = attributed(case, case.learned, ground, technique), []
    for mine, wanted, atoms in zip(found.scores, occlusion(ground), found.fine["mol"], strict=True):
        assert np.allclose(mine, atoms) and len(mine) == len(wanted) and (mine != 0).any()
        sign = 1 if mine.sum() > 0 else -1
        assert (sign * mine >= 0).all()
        agree.append(wanted[np.argmax(sign * mine)] * sign >= np.median(sign * wanted))
    assert technique == "gnn_explainer" or np.mean(agree) > 0.7


def test_a_graph_gives_way_to_the_baseline_that_is_given():
    """To a graph of its own atoms with nothing changed but the first feature: the second tells nothing then."""
    class Second(nn.Module):
        def forward(self, graph):
            return torch.zeros(graph.count).index_add(0, graph.owner, graph.nodes.sum(dim=1))[:, None]

    graph, truth = graphs()
    base = graph._replace(nodes=graph.nodes * torch.tensor([0.0, 1.0]))
    found = integrated_gradients(Second(), graph, None, baseline=base)
    assert torch.allclose(found, graph.nodes[:, 0], atol=1e-5)
    gone = optimised_mask(Heavy(), graph, None, baseline=base)
    assert gone[truth].min() > 0.6 and gone[~truth].max() < 0.1  # two thirds take a heavy atom below what counts


def test_how_much_of_a_row_a_mask_covers_leaves_padding_out():
    tokens, truth = phrases()
    graph, heavy = graphs()
    found = covered({"t": tokens, "n": torch.ones(3, 2)}, {"t": -truth.numpy().astype(float), "n": np.array([[1, 0]] * 3)})
    assert found == pytest.approx([4 / (n + 2) for n in LENGTHS])
    assert covered({"g": graph}, {"g": heavy.numpy().astype(float)}) == pytest.approx([2 / n for n in (5, 8, 6, 7)])


class Later(nn.Module):
    """Works for a while, then fails."""

    def __init__(self, after):
        super().__init__()
        self.inner, self.weight, self.left = Heavy(), nn.Parameter(torch.ones(1)), after

    def forward(self, graph):
        self.left -= 1
        if self.left < 0:
            raise ArithmeticError("too late")
        return self.inner(graph) * self.weight


@pytest.mark.parametrize("technique", [optimised_mask, extremal_perturbation, gnn_explainer])
def test_gradients_of_weights_and_modes_are_given_back_also_after_an_error(technique):
    graph, _ = graphs()
    for after in (1, 4, 10**9):
        model = Later(after).train()
        with kept() as left, suppress(ArithmeticError):
            technique(model, graph, None, steps=3)
        assert not left and model.training and model.weight.requires_grad and model.weight.grad is None
