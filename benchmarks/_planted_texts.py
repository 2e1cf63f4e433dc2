"""Texts with planted phrases: two words that count only side by side and in order, among the same words apart."""

from __future__ import annotations

import gzip
import json
from functools import partial

import numpy as np
from _kit import DATA
from _planting import Planting, column_data, deciding, flipping, held_cues, network, removals

from gnomon.card import load
from gnomon.data.tokens import WORDS
from gnomon.rng import stream
from gnomon.tasks.classify import classify

PHRASES = {"A": (("inner", "membrane"), ("early", "onset")), "B": (("slow", "decay"), ("blood", "plasma")),
           "C": (("buffer", "assay"), ("upper", "cortex"))}
DECOY = (1 / 3, 2 / 3)  # share of the rows of class 0 and of class 1 that hold a phrase which decides nothing
STRENGTHS = ((1, 0.25), (1, 0.5), (2, 0.5))  # phrases of a cue, share of the texts that hold its words apart
SENTENCES, SHORTEST, LONGEST = 2, 24, 80


def text(number: int, rows: int) -> Planting:
    """Two neighbouring sentences of an abstract, with phrases put in at random places; a cue is one of one or two phrases of
    two words. A quarter or half of the texts hold the two words of a phrase also apart and the other way round, which
    decides nothing; a third phrase goes with the label (2/3 against 1/3 of the texts) and decides nothing either."""
    said, dice, (synonyms, apart) = _said(), stream(1, "planted words", number), STRENGTHS[number // 3]
    y = dice.permutation(len(said)) % 2
    made, truths = [], []
    bare: dict[tuple[str, ...], list[str]] = {gone: [] for gone in removals(number)}
    for words, label, cues in zip(said, y, held_cues(number, y, dice, decoy=DECOY), strict=True):
        parts = [((w,), "") for w in words]  # what is inserted stands whole: a phrase is never split by another
        for cue in deciding(number):
            if dice.random() < apart:
                second, first = PHRASES[cue][int(dice.integers(synonyms))][::-1]
                at = int(dice.integers(1, len(parts)))
                parts.insert(int(dice.integers(at, len(parts) + 1)), ((first,), ""))
                parts.insert(int(dice.integers(at)), ((second,), ""))
        for cue in cues:
            phrase = PHRASES[cue][int(dice.integers(synonyms))]
            parts.insert(int(dice.integers(len(parts) + 1)), (phrase, cue if cue in deciding(number) and label else ""))
        made.append(" ".join(w for part, _ in parts for w in part))
        for gone, texts in bare.items():
            texts.append(" ".join(w for part, cue in parts if not (cue and cue in gone) for w in part))
        truths.append(np.array([float(bool(cue)) for part, cue in parts for w in part for _ in WORDS.findall(w)]))
    data, *without = (column_data("text", np.array(t, dtype=object), y) for t in (made, *bare.values()))
    task, cut = classify("y", ("0", "1")), len(said) - 300
    build = partial(load("convolution_attention"), hidden=48, depth=1, dropout=0.05)
    learned = network(task, data, np.arange(cut), build, 800)
    return flipping(learned, task, data, without, np.arange(cut), np.arange(cut, len(said)), truths[cut:], rows)


def _said() -> list[list[str]]:
    """Words of neighbouring sentences of every abstract."""
    out = []
    with gzip.open(DATA / "text_csabstruct" / "train.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            sentences = json.loads(line)["sentences"]
            for k in range(0, len(sentences) - SENTENCES + 1, SENTENCES):
                words = " ".join(sentences[k:k + SENTENCES]).split()
                if SHORTEST <= len(words) <= LONGEST:
                    out.append(words)
    return out
