"""Sequence networks: padding never counts, rows do not see each other, both strands alike, every parameter learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gnomon.card import load
from gnomon.data.kinds import Tokens
from gnomon.data.table import Spec
from gnomon.data.tokens import fit_tokens, token_batch
from gnomon.models.sequences._kit import AttentionPool, Complement, coarser, convolve
from gnomon.models.sequences._rotary import rotate

BUILDERS = ("convolution_attention", "transformer")
RNG = np.random.default_rng(0)
WORDS = [f"w{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(120)]


def random_strings(letters, lengths):
    return ["".join(RNG.choice(list(letters), n)) for n in lengths]


def aligned_proteins():
    return ["MKV" + s + "GGHLL" for s in random_strings("ACDEFGHIKL", [9] * 40)]


KINDS = {
    "DNA": ("DNA", random_strings("ACGT", RNG.integers(5, 60, 40))),
    "long DNA": ("DNA", random_strings("ACGT", RNG.integers(90, 130, 20))),  # coarser after the first convolution
    "protein": ("protein", random_strings("ACDEFGHIKLMNPQRSTVWY", RNG.integers(5, 40, 40))),
    "aligned": ("protein", aligned_proteins()),
    "text": ("text", [" ".join(RNG.choice(WORDS, n)) for n in RNG.integers(3, 30, 40)]),
}


def made(name, kind, **options):
    torch.manual_seed(0)
    detail, strings = KINDS[kind]
    vocabulary = fit_tokens(strings, detail)
    model = load(name)({"s": vocabulary.spec}, Spec("out", shape=(3,)), hidden=16, **options).eval()
    return model, token_batch(*vocabulary.encode(strings), np.arange(12)), vocabulary


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BUILDERS)
def test_more_padding_changes_nothing(name, kind):
    model, tokens, _ = made(name, kind)
    for extra in (1, 3, 17):
        padded = Tokens(F.pad(tokens.ids, (0, extra)), F.pad(tokens.mask, (0, extra)))
        torch.testing.assert_close(model({"s": padded}), model({"s": tokens}), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BUILDERS)
def test_a_row_does_not_depend_on_its_batch(name, kind):
    model, tokens, _ = made(name, kind)
    together = model({"s": tokens})
    length = int(tokens.mask[3].sum())
    alone = model({"s": Tokens(tokens.ids[3:4, :length], tokens.mask[3:4, :length])})
    torch.testing.assert_close(alone[0], together[3], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BUILDERS)
def test_the_gradient_reaches_every_parameter(name, kind):
    model, tokens, _ = made(name, kind)
    model({"s": tokens}).square().sum().backward()
    learning = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert not [n for n, p in learning.items() if p.grad is None or p.grad.abs().sum() == 0]


@pytest.mark.parametrize("kind", ["DNA", "long DNA"])
def test_dna_and_its_reverse_complement_give_the_same(kind):
    model, _, vocabulary = made("convolution_attention", kind)
    other = str.maketrans("ACGT", "TGCA")
    strings = KINDS[kind][1][:12]
    turned = [s.translate(other)[::-1] for s in strings]
    there, back = (token_batch(*vocabulary.encode(s), np.arange(12)) for s in (strings, turned))
    torch.testing.assert_close(model({"s": there}), model({"s": back}), atol=1e-5, rtol=1e-4)
    one, *_ = made("convolution_attention", kind, strands="one")
    assert (one({"s": there}) - one({"s": back})).abs().max() > 1e-3


def test_turning_twice_gives_the_strand_back():
    vocabulary = fit_tokens(["ACGT", "AC"], "DNA")
    tokens = token_batch(*vocabulary.encode(["AACG", "GT"]), np.arange(2))
    vectors = F.one_hot(tokens.ids, 6).float()[..., 1:] * tokens.mask[..., None]
    swap = Complement(vocabulary.alphabet)
    once = swap(vectors, tokens.mask)
    assert [vocabulary.alphabet[i] for i in once[0].argmax(dim=1)] == list("CGTT")
    assert torch.equal(swap(once, tokens.mask), vectors)


@pytest.mark.parametrize("kernel", [3, 11])
def test_the_quick_convolution_is_the_convolution(kernel):
    layer = torch.nn.Conv1d(5, 7, kernel, padding=kernel // 2)
    values = torch.randn(2, 20, 5)
    torch.testing.assert_close(convolve(layer, values), layer(values.transpose(1, 2)).transpose(1, 2), atol=1e-5,
                               rtol=1e-5)


def test_coarser_takes_the_maximum_of_what_is_there():
    values = torch.tensor([[1.0, -3.0, 2.0, 9.0, 5.0]])[..., None]
    mask = torch.tensor([[True, True, True, False, False]])
    top, there = coarser(values, mask, 2)
    assert top[0, :, 0].tolist() == [1.0, 2.0, 0.0] and there[0].tolist() == [True, True, False]


def test_attention_weights_sum_to_one_over_tokens():
    mask = torch.tensor([[True, True, False], [True, True, True]])
    weights = AttentionPool(8).weights(torch.randn(2, 3, 8), mask)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, 4))
    assert weights[0, 2].abs().max() == 0


def test_rotary_products_depend_on_distance_only():
    query, key = torch.randn(1, 1, 1, 8).expand(1, 1, 12, 8), torch.randn(1, 1, 1, 8).expand(1, 1, 12, 8)
    products = (rotate(query) @ rotate(key).transpose(2, 3))[0, 0]
    for shift in (0, 1, 5):
        line = products.diagonal(shift)
        torch.testing.assert_close(line, line[:1].expand_as(line), atol=1e-5, rtol=1e-5)
    assert products.diagonal(1)[0] != products.diagonal(-1)[0]


@pytest.mark.parametrize("name", BUILDERS)
def test_learns_a_planted_motif(name):
    rng = np.random.default_rng(3)
    plain = ["".join(row) for row in rng.choice(list("ACGT"), (240, 30))]
    truth = np.arange(240) % 2
    strings = [s[:p] + "GATTACAG" + s[p + 8:] if t else s
               for s, t, p in zip(plain, truth, rng.integers(0, 22, 240), strict=True)]
    vocabulary = fit_tokens(strings[:160], "DNA")
    values, offsets = vocabulary.encode(strings)
    torch.manual_seed(0)
    model = load(name)({"s": vocabulary.spec}, Spec("out", shape=(1,)), hidden=16, dropout=0.0)
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    target = torch.tensor(truth, dtype=torch.float32)
    train = token_batch(values, offsets, np.arange(160))
    for _ in range(60):
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(model({"s": train})[:, 0], target[:160]).backward()
        optimiser.step()
    model.eval()
    right = (model({"s": token_batch(values, offsets, np.arange(160, 240))})[:, 0] > 0).numpy() == (truth[160:] > 0)
    assert right.mean() > 0.8


def test_text_is_learned_from_single_words():
    rng = np.random.default_rng(5)
    texts = [" ".join([*rng.choice(WORDS[:60], 12), "inhibits" if i % 2 else "promotes"]) for i in range(120)]
    vocabulary = fit_tokens(texts[:80], "text")
    values, offsets = vocabulary.encode(texts)
    torch.manual_seed(0)
    model = load("convolution_attention")({"s": vocabulary.spec}, Spec("out", shape=(2,)), hidden=16)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    truth = torch.arange(120) % 2
    train = token_batch(values, offsets, np.arange(80))
    for _ in range(40):
        optimiser.zero_grad()
        F.cross_entropy(model({"s": train}), truth[:80]).backward()
        optimiser.step()
    model.eval()
    found = model({"s": token_batch(values, offsets, np.arange(80, 120))}).argmax(dim=1)
    assert (found == truth[80:]).float().mean() > 0.9
