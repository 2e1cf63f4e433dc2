"""Tokens: fixed codes for biology, learned ones for text, nothing learned from rows not given, JSON there and back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gnomon.data.tokens import fit_tokens, token_batch, vocabulary_from


def decoded(vocabulary, codes):
    return [vocabulary.alphabet[c - 1] for c in codes]


def test_nucleotides_have_their_codes_whatever_was_seen():
    vocabulary = fit_tokens(["AAAA", "AAC"], "DNA")
    assert vocabulary.alphabet == ("<unknown>", "A", "C", "G", "T")
    values, offsets = vocabulary.encode(["acGTu", "N-x", None, ""])
    assert values.tolist() == [2, 3, 4, 5, 5, 1, 1, 1, 1, 1]  # U read as T; a missing string is one unknown
    assert offsets.tolist() == [0, 5, 8, 9, 10]


def test_long_dna_keeps_the_middle_and_text_the_beginning():
    dna = fit_tokens(["A" * 10, "C" * 9], "DNA", longest=4)
    assert decoded(dna, dna.encode(["AAACGTCAAA"])[0]) == ["C", "G", "T", "C"]
    text = fit_tokens(["one two three"] * 2, "text", longest=2)
    assert decoded(text, text.encode(["three two one"])[0]) == ["three", "two"]


def test_a_new_row_longer_than_any_in_training_is_kept_up_to_the_limit():
    vocabulary = fit_tokens(["ACGT", "AC"], "protein", longest=6)
    assert vocabulary.spec.shape == (4,)
    assert np.diff(vocabulary.encode(["ACGTA", "ACDEFGHIK"])[1]).tolist() == [5, 6]


def test_rare_and_new_words_share_codes_by_their_ending():
    vocabulary = fit_tokens(["the cell divides", "the cell rests", "the cell"], "text", buckets=8)
    assert vocabulary.alphabet[1:3] == ("cell", "the")
    one, two, other = vocabulary.encode(["formation", "Station", "divides"])[0]
    assert one == two and vocabulary.alphabet[one - 1].startswith("<rare")
    assert vocabulary.alphabet[other - 1].startswith("<rare")  # met once only
    assert max(vocabulary.encode(["any new words at all, in 2024!"])[0]) <= len(vocabulary.alphabet)


def test_numbers_in_text_look_alike():
    vocabulary = fit_tokens(["in 1999 and 2001", "in 2005"], "text")
    assert "0000" in vocabulary.alphabet


def test_smiles_are_cut_into_atoms_and_bonds():
    vocabulary = fit_tokens(["CC(=O)Cl", "C[nH]1cccc1Br", "ClC[nH]Br"], "SMILES")
    assert decoded(vocabulary, vocabulary.encode(["ClC(=O)[nH]"])[0]) == ["Cl", "C", "<unknown>", "<unknown>",
                                                                         "<unknown>", "<unknown>", "[nH]"]


def test_variants_of_one_protein_keep_their_varying_positions():
    rng = np.random.default_rng(0)
    wild = "MQYKLILNGKTLKGETTTEA"
    variants = []
    for _ in range(60):
        letters = list(wild)
        letters[3], letters[17] = rng.choice(list("ACDEFGHIKL"), 2)
        variants.append("".join(letters))
    vocabulary = fit_tokens(variants, "protein")
    assert vocabulary.aligned and vocabulary.positions == (3, 17) and vocabulary.spec.shape == (2,)
    assert vocabulary.spec.detail == "protein aligned"
    values, offsets = vocabulary.encode([wild, wild[:10]])
    assert decoded(vocabulary, values) == ["K", "T", "K", "<unknown>"] and offsets.tolist() == [0, 2, 4]


def test_equal_lengths_alone_are_no_alignment():
    rng = np.random.default_rng(1)
    strings = ["".join(row) for row in rng.choice(list("ACGT"), (300, 40))]
    assert not fit_tokens(strings, "DNA").aligned
    guides = [s[:25] + "A" + "GG" + s[28:] for s in strings]
    assert fit_tokens(guides, "DNA").aligned


@pytest.mark.parametrize(("strings", "detail"), [(["ACGT", "AC"], "RNA"), (["a b c", "b c d"], ""),
                                                 (["xyz", "xy"], "")])
def test_json_there_and_back(strings, detail):
    vocabulary = fit_tokens(strings, detail)
    again = vocabulary_from(json.loads(json.dumps(vocabulary.state())))
    assert again == vocabulary
    assert np.array_equal(again.encode(strings)[0], vocabulary.encode(strings)[0])


def test_text_and_characters_are_told_apart_by_white_space():
    assert fit_tokens(["a few words", "and more"]).detail == "text"
    assert fit_tokens(["HHEEEC", "EEHH"]).detail == "characters"


def test_nothing_at_all_still_encodes():
    vocabulary = fit_tokens([None, ""], "text")
    assert vocabulary.encode([None, "words"])[1].tolist() == [0, 1, 2]


def test_a_batch_is_padded_to_its_longest_row():
    vocabulary = fit_tokens(["ACGT", "AC"], "DNA")
    values, offsets = vocabulary.encode(["ACGT", "AC", "A"])
    tokens = token_batch(values, offsets, np.array([2, 1]))
    assert tokens.ids.tolist() == [[2, 0], [2, 3]] and tokens.mask.tolist() == [[True, False], [True, True]]
