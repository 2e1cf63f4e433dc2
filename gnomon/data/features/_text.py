"""Text as weighted counts of words, word pairs and pieces of words."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from gnomon.data.features._block import Arrays

WORDS, PIECES = 30_000, 50_000  # terms kept at most
WORD = re.compile(r"\w+")
STYLE = ("log words", "share of different words", "letters a word", "share of capitals", "share of digits", "share of signs")
READ = 1_000_000  # letters of training text up to which pieces of words are read too: they help while words are rare


def _vectoriser(kind: str, terms: list[str] | None, **options: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    how = ({"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"} if kind == "words" else
           {"ngram_range": (3, 5), "analyzer": "char_wb"})
    return TfidfVectorizer(vocabulary=terms, sublinear_tf=True, dtype=np.float32, **how, **options)


def fit_terms(texts: np.ndarray, *, pieces: bool = True) -> tuple[dict[str, Any], Arrays]:
    """The terms of these texts (in at least two of them) and how rare each is: log((1 + n) / (1 + with it)) + 1.
    pieces: of words, too, up to READ letters."""
    texts = _plain(texts)
    letters = sum(map(len, texts))
    terms, rarity = {}, {}
    for kind, most in (("words", WORDS), ("pieces", PIECES)):
        if kind == "pieces" and (letters > READ or not pieces):
            continue
        vectoriser = _vectoriser(kind, None, min_df=2 if len(texts) > 20 else 1, max_features=most)
        try:
            vectoriser.fit(texts)
        except ValueError:  # no term at all, or none twice
            continue
        terms[kind] = vectoriser.get_feature_names_out().tolist()
        rarity[f"idf.{kind}"] = vectoriser.idf_.astype(np.float32)
    return {"terms": terms}, rarity


def tf_idf(texts: np.ndarray, settings: dict[str, Any], arrays: Arrays) -> Any:
    """(n, terms) csr: (1 + log count) x rarity, each row of length one in words and again in pieces (Salton 1988)."""
    from scipy.sparse import csr_matrix, hstack

    texts = _plain(texts)
    parts = []
    for kind, terms in settings["terms"].items():
        vectoriser = _vectoriser(kind, terms)
        vectoriser.idf_ = arrays[f"idf.{kind}"]
        parts.append(vectoriser.transform(texts))
    return hstack(parts, format="csr") if parts else csr_matrix((len(texts), 1), dtype=np.float32)


def style(texts: np.ndarray) -> np.ndarray:
    """(n, 6): log of one plus the number of words, the share of different ones among them (type-token ratio), letters a word,
    and the shares of capitals, digits and signs among the characters. NaN rows for missing texts."""
    out = np.full((len(texts), len(STYLE)), np.nan, dtype=np.float32)
    for i, text in enumerate(_plain(texts)):
        if texts[i] is not None:
            words = WORD.findall(text)
            size = max(len(text), 1)
            signs = sum(not c.isalnum() and not c.isspace() for c in text)
            out[i] = (np.log1p(len(words)), len(set(words)) / max(len(words), 1), sum(map(len, words)) / max(len(words), 1),
                      sum(map(str.isupper, text)) / size, sum(map(str.isdigit, text)) / size, signs / size)
    return out


def term_names(settings: dict[str, Any]) -> tuple[str, ...]:
    terms = settings["terms"]
    return (*terms.get("words", ()), *(f"'{piece}'" for piece in terms.get("pieces", ()))) or ("nothing",)


def reads_pieces(texts: np.ndarray, count: int) -> bool:
    """Whether `count` texts like these are few enough for pieces of words."""
    return sum(map(len, _plain(texts))) * count <= READ * max(len(texts), 1)


def _plain(texts: np.ndarray) -> list[str]:
    return ["" if t is None else str(t) for t in texts]
