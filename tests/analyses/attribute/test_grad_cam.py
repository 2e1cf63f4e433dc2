"""Grad-CAM: CAM where CAM exists, captum's value, places that count, and every kind with places."""

import numpy as np
import pytest
import torch
from backward_nets import (
    Lstm,
    Odd,
    Pooled,
    Reader,
    convolutional,
    images,
    leaves_nothing,
    leaves_nothing_after_an_error,
    mixed_inputs,
    seeded,
)
from torch import nn

from gnomon.analyses.attribute.grad_cam import grad_cam
from gnomon.errors import InputError


@pytest.mark.parametrize("rectify", [True, False])
def test_it_is_cam_after_mean_pooling_and_one_linear_layer(rectify):
    """CAM (Zhou et al. 2016): sum_k w_k A_k; Grad-CAM's alpha_k is w_k over the number of places."""
    model, x = seeded(Pooled).eval(), images()
    with torch.no_grad():
        maps = model.features(x)
        cam = torch.einsum("k,bkhw->bhw", model.head.weight[2], maps) / maps[0, 0].numel()
        cam = cam.relu() if rectify else cam
        wanted = nn.functional.interpolate(cam[:, None], x.shape[2:], mode="bilinear")[:, 0]
    found = grad_cam(model, x, 2, rectify=rectify)
    assert found.shape == x.shape and torch.allclose(found.sum(1), wanted, atol=1e-6)


def test_agrees_with_captum_on_any_layer():
    from captum.attr import LayerGradCam

    model, x = seeded(convolutional), images()
    for place, layer in (("1", model[1]), ("4", model[4])):
        wanted = LayerGradCam(model, layer).attribute(x, target=1, relu_attributions=True).detach()
        wanted = nn.functional.interpolate(wanted, x.shape[2:], mode="bilinear")[:, 0]
        for named in (place, layer):
            assert torch.allclose(grad_cam(model, x, 1, layer=named).sum(1), wanted, atol=1e-6)


def test_the_place_that_counts_is_the_place_shown():
    """A bright patch in one corner, a network that counts bright patches."""
    model = nn.Sequential(nn.Conv2d(1, 1, 4, 4, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(9, 1, bias=False))
    nn.init.ones_(model[0].weight)
    nn.init.ones_(model[3].weight)
    x = torch.zeros(1, 1, 12, 12)
    x[..., 8:, :4] = 1
    found = grad_cam(model, x, 0)[0, 0]
    assert found[9:11, 1:3].min() > found[:6].max() and found[:6, 6:].max() == 0
    assert (grad_cam(model, torch.zeros_like(x), 0) == 0).all()


def test_in_place_activations_and_functions_change_nothing():
    x, plain = images(), seeded(convolutional)
    other = nn.Sequential(*[nn.ReLU(inplace=True) if isinstance(m, nn.ReLU) else m for m in plain])
    assert torch.allclose(grad_cam(plain, x, 1), grad_cam(other, x, 1), atol=1e-7)
    assert grad_cam(seeded(Odd).eval(), x, 0).isfinite().all()


class Letters(nn.Module):
    """Convolution over letters, mean over places; atoms through a layer of their own."""

    def __init__(self):
        super().__init__()
        self.table, self.filters = nn.Embedding(6, 4, padding_idx=0), nn.Conv1d(4, 5, 3, padding=1)
        self.atoms, self.head = nn.Linear(3, 5), nn.Linear(12, 2)

    def forward(self, x):
        ids, mask = x["seq"]
        read = (self.filters(self.table(ids).transpose(1, 2)).relu() * mask[:, None]).mean(2)
        graph = x["mol"]
        atoms = torch.zeros(3, 5)[:graph.count].index_add(0, graph.owner, self.atoms(graph.nodes).relu())
        return self.head(torch.cat([read, atoms, x["numbers"]], dim=1))


def test_sequences_molecules_and_what_has_no_places():
    model, x = seeded(lambda: (Letters(), mixed_inputs()))
    found = grad_cam(model, x, 1, rectify=False)
    assert found["seq"].shape == (3, 4) and (found["seq"][~x["seq"].mask] == 0).all()
    assert found["numbers"].isnan().all() and found["mol"].shape == (6,)
    with torch.no_grad():
        hidden, owner = model.atoms(x["mol"].nodes), x["mol"].owner
        slope = (hidden > 0).float() * model.head.weight[1, 5:10]
        alpha = torch.stack([slope[owner == g].mean(0) for g in range(3)])
    assert np.allclose(found["mol"], (alpha[owner] * hidden).sum(1), atol=1e-6)


def test_no_places_and_no_such_layer_are_refused_in_words():
    with pytest.raises(InputError, match="keeps the places"):
        grad_cam(seeded(lambda: nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))), torch.randn(3, 5), 0)
    with pytest.raises(InputError, match="no layer 'nowhere'"):
        grad_cam(seeded(convolutional), images(), 0, layer="nowhere")
    assert grad_cam(seeded(Reader), seeded(mixed_inputs), 0)["mol"].isfinite().all()


def test_nothing_is_left_behind():
    assert leaves_nothing(grad_cam, seeded(convolutional), images(), 1)
    assert leaves_nothing_after_an_error(grad_cam, images())
    assert Lstm  # fused layers have no maps of their own; their outputs do


class Strands(nn.Module):
    """Reads letters and their reverse with the same weights, in one batch, and keeps the larger of each feature."""

    def __init__(self, blocks=True):
        super().__init__()
        self.table, self.filters = nn.Embedding(6, 5, padding_idx=0), nn.Conv1d(5, 1, 3, padding=1, bias=False)
        self.blocks, self.head = blocks, nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            self.table.weight.copy_(torch.cat([torch.zeros(1, 5), torch.eye(5)]))
            self.filters.weight.zero_()
            self.filters.weight[0, [1, 2, 3], [0, 1, 2]] = 1.0  # the codes 2, 3, 4 in this order
            self.head.weight.fill_(1.0)

    def forward(self, x):
        ids, mask = x["seq"]
        last = mask.sum(1, keepdim=True) - 1 - torch.arange(ids.shape[1])
        vectors = self.table(ids)
        other = vectors.gather(1, last.clamp(min=0)[..., None].expand_as(vectors)) * mask[..., None]
        both = torch.cat([vectors, other]) if self.blocks else torch.stack([vectors, other], 1).flatten(0, 1)
        found = self.filters(both.transpose(1, 2)).relu().pow(3).amax(2)
        found = torch.maximum(*found.chunk(2)) if self.blocks else found.reshape(len(ids), 2, -1).amax(1)
        return self.head(found)


@pytest.mark.parametrize("blocks", [True, False])
def test_a_network_that_reads_both_strands_is_shown_at_the_places_of_the_input(blocks):
    """The motif forwards in one row, backwards in another, with padding after it: the peak stands on it each time."""
    from gnomon.data.kinds import Tokens

    ids = torch.tensor([[1, 2, 3, 4, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 4, 3, 2, 1, 0, 0]])
    found = grad_cam(Strands(blocks), {"seq": Tokens(ids, ids > 0)}, 0)["seq"]
    assert found.argmax(1).tolist() == [2, 5] and (found[1, 8:] == 0).all()


def test_the_studys_own_two_strand_network_is_shown_at_the_motif():
    from gnomon.data.kinds import Tokens
    from gnomon.data.table import Spec
    from gnomon.models.sequences.convolution_attention import convolution_attention

    spec = Spec("tokens", shape=(30,), categories=("?", "A", "C", "G", "T"), detail="DNA")
    model = seeded(lambda: convolution_attention({"s": spec}, Spec("number", shape=(1,)), hidden=8, depth=1, kernel=3)).eval()
    assert model.encoders[0].swap is not None
    ids = seeded(lambda: torch.randint(2, 6, (4, 30)))
    found = grad_cam(model, {"s": Tokens(ids, ids > 0)}, 0, rectify=False)["s"]
    other = (7 - ids).flip(1)  # the reverse complement: the same row to this network, so the same map turned round
    turned = grad_cam(model, {"s": Tokens(other, other > 0)}, 0, rectify=False)["s"]
    assert found.abs().max() > 0 and torch.allclose(found, turned.flip(1), atol=1e-5)


def test_a_flattened_head_works_and_a_layer_that_is_gone_round_is_refused():
    found = grad_cam(seeded(convolutional), images(), 1, rectify=False)  # ends in Flatten and Linear
    assert (found != 0).any()

    class Round(nn.Module):
        def __init__(self):
            super().__init__()
            self.maps, self.head = nn.Conv2d(3, 2, 3), nn.Linear(432, 1)

        def forward(self, x):
            return self.head(x.flatten(1)) + 1e-3 * self.maps(x).mean((1, 2, 3))[:, None]

    with pytest.raises(InputError, match="most of the output's slope"):
        grad_cam(seeded(Round), images(), 0)
    assert grad_cam(seeded(Round), images(), 0, layer="maps").isfinite().all()
