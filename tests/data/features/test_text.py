"""Text as words alone, or with pieces of words; and which of both a plan asks for."""

from __future__ import annotations

import numpy as np

from gnomon.data.features import _text
from gnomon.workflow._facts import Facts
from gnomon.workflow.plan import simple_ladder


def texts() -> np.ndarray:
    return np.array([f"the {'cell' if i % 2 else 'virus'} divides {i % 3} times" for i in range(30)], dtype=object)


def test_words_are_the_first_columns_of_words_and_pieces():
    both, alone = (_text.fit_terms(texts(), pieces=p) for p in (True, False))
    assert list(alone[0]["terms"]) == ["words"] and list(both[0]["terms"]) == ["words", "pieces"]
    a, b = _text.tf_idf(texts(), *alone).toarray(), _text.tf_idf(texts(), *both).toarray()
    assert np.array_equal(a, b[:, :a.shape[1]]) and b.shape[1] > 2 * a.shape[1]
    assert np.allclose((a**2).sum(axis=1), 1)


def test_pieces_are_read_up_to_so_many_letters():
    some = np.array(["a" * 100, None, "b" * 50], dtype=object)  # 50 letters each
    assert _text.reads_pieces(some, _text.READ // 50) and not _text.reads_pieces(some, _text.READ // 50 + 1)
    assert _text.reads_pieces(some[:0], 10)


def test_the_ladder_tries_words_first_and_pieces_where_there_are_few_letters():
    for pieces in (True, False):
        views = [v for m, v, _ in simple_ladder(Facts(1000, 0, ("text",), 5, 1000, "classify", 6, pieces=pieces))
                 if m == "logistic"]
        assert views == (["words", "tfidf"] if pieces else ["words"])
