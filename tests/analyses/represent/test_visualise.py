"""Made inputs drive units further than any data does, and show what a unit of known weights looks for."""

import numpy as np
import pytest
import torch
from torch import nn

from gnomon.analyses.represent._ascent import palette_of
from gnomon.analyses.represent.activation_atlas import activation_atlas
from gnomon.analyses.represent.feature_visualisation import feature_visualisation, given
from gnomon.analyses.represent.optimal_sequence import optimal_sequence


def seeded(make, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def net_and_images(n=60):
    """A small random convolution, and smooth colour images whose channels go together."""
    model = seeded(lambda: nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 6, 3), nn.ReLU(),
                                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)))
    rough = seeded(lambda: torch.randn(n, 3, 6, 6))
    smooth = nn.functional.interpolate(rough, size=(24, 24), mode="bilinear") + seeded(lambda: torch.randn(n, 1, 1, 1), 1)
    return model, smooth


def test_every_unit_beats_the_best_example_and_the_network_is_left_as_it_was():
    model, like = net_and_images()
    found = feature_visualisation(model, "7", (0, 1, 2), like=like, steps=60)
    assert (found.activation > found.best_example).all()
    assert torch.allclose(found.activation, model.eval()(found.images)[range(3), range(3)], atol=1e-4)
    palette = palette_of(like)
    assert (found.images >= palette.low - 1e-5).all() and (found.images <= palette.high + 1e-5).all()
    assert all(p.requires_grad for p in model.parameters()) and not model[7]._forward_hooks
    again = feature_visualisation(model, "7", (0, 1, 2), like=like, steps=60)
    assert torch.equal(found.images, again.images)


def test_a_unit_that_weighs_a_pattern_shows_that_pattern():
    pattern = torch.zeros(1, 1, 16, 16)
    pattern[..., :8], pattern[..., 8:] = 1.0, -1.0
    model = nn.Sequential(nn.Flatten(), nn.Linear(256, 1, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(pattern.flatten()[None])
    found = feature_visualisation(model, "1", 0, shape=(1, 16, 16), robust=False)
    assert found.activation[0] > 0.8 * 2 * 256  # values stay within 2 of 0
    assert np.corrcoef(found.images.flatten(), pattern.flatten())[0, 1] > 0.8


def test_channels_of_a_layer_are_raised_by_their_mean():
    model, like = net_and_images()
    found = feature_visualisation(model, "3", (2,), like=like, steps=60)
    assert found.activation[0] > given(model, like, "3")[:, 2].max()


def test_colours_are_mixed_like_the_datas():
    _, like = net_and_images()
    flat = like.transpose(0, 1).flatten(1)
    palette = palette_of(like)
    assert torch.allclose(palette.mix @ palette.mix.T, torch.corrcoef(flat), atol=1e-3)


def test_the_optimal_sequence_of_a_weight_matrix_is_its_best_letters():
    weights = seeded(lambda: torch.randn(12, 4))
    found = optimal_sequence(lambda hot: (hot * weights).sum(dim=(1, 2)), 12, 4, steps=40)
    assert (found.codes[0] == weights.argmax(dim=1)).all()
    assert found.value[0].item() == pytest.approx(weights.amax(dim=1).sum().item(), rel=1e-5) and found.local[0]


def test_a_motif_detector_is_given_its_motif():
    word = torch.tensor([2, 2, 0, 3, 1, 1])
    kernel = nn.functional.one_hot(word, 4).float().T[None] - 0.3
    model = nn.Sequential(nn.Conv1d(4, 1, 6, bias=False), nn.AdaptiveMaxPool1d(1), nn.Flatten())
    with torch.no_grad():
        model[0].weight.copy_(kernel)
    found = optimal_sequence(lambda hot: model(hot.transpose(1, 2))[:, 0], 20, 4, model=model, steps=60)
    assert "GGATCC" in found.texts("ACGT")[0] and (found.value >= found.relaxed).all() and found.value[0] > 4.1


def test_an_atlas_keeps_every_image_once_and_tells_effects_of_a_linear_head():
    model, like = net_and_images(80)
    flat = like.mean(dim=(2, 3))[:, :2].numpy()
    cells = activation_atlas(model, like, "6", outputs=(0, 2), grid=3, fewest=1, layout=flat, steps=10)
    assert sorted(i for c in cells for i in c.members) == list(range(80))
    head = model[7].weight.detach().numpy()
    assert all(np.allclose(c.effect, head[[0, 2]] @ c.activation, atol=1e-5) for c in cells)
    assert all(c.image.shape == (3, 24, 24) for c in cells) and max(c.column for c in cells) == 2
    maps = activation_atlas(model, like, "3", grid=2, fewest=5, layout=flat, steps=10)
    assert maps and all(len(c.members) >= 5 and c.activation.shape == (6,) for c in maps)


@pytest.mark.slow
def test_an_atlas_by_umap():
    model, like = net_and_images(80)
    assert activation_atlas(model, like, "3", grid=3, steps=5)
