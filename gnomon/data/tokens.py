"""Strings as integer tokens: symbols of a sequence, pieces of a SMILES, words of a text. Learned on training rows only.

Code 0 is padding, code 1 whatever is not in the alphabet, codes 2 ... the alphabet's other entries. DNA, RNA and
proteins have their fixed alphabets (so that reverse complements are a permutation of codes and new symbols cannot shift
them); everything else takes its symbols from the rows it was fitted on. A rare or new word becomes one of a few hundred
codes chosen by its ending ("...ation", "...ing"), which carries much of what a rare word has to say in a small corpus.

Sequences of one length whose composition differs from position to position (variants of one protein, guides before a
fixed motif) are taken as aligned: the Spec's detail says so, and positions that never vary are left out when they are
the larger part.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.data.table import Spec, gather

if TYPE_CHECKING:
    from gnomon.data.kinds import Tokens

UNKNOWN = "<unknown>"
FIXED = {"DNA": "ACGT", "RNA": "ACGU", "protein": "ACDEFGHIKLMNPQRSTVWY-"}
WORDS = re.compile(r"\w+|[^\w\s]")
SMILES = re.compile(r"\[[^\]]+\]|Br|Cl|%\d\d|.", re.DOTALL)
ALIGNED_NATS = 0.03  # what a position must tell of its symbol, on average, for equal lengths to be an alignment


@dataclass(frozen=True)
class Vocabulary:
    """What strings of one column are made of.

    alphabet: symbol of code i + 1 (code 0 is padding; alphabet[0] stands for the unknown).
    detail: "DNA", "RNA", "protein", "characters", "SMILES" or "text".
    longest: tokens of the longest training row. limit: no row gets more than this; of longer ones DNA and RNA keep the
    middle, all others the beginning.
    aligned: all training rows had the length `length`, and position matters.
    positions: the positions kept (0-based in the string), empty for all.
    buckets: how many codes at the end of the alphabet stand for rare words by their ending.
    """

    alphabet: tuple[str, ...]
    detail: str
    longest: int
    limit: int = 1024
    aligned: bool = False
    length: int = 0
    positions: tuple[int, ...] = ()
    buckets: int = 0

    @property
    def spec(self) -> Spec:
        """The tensor Spec: one code more than categories (padding); "aligned" in its detail where position matters."""
        return Spec("tokens", shape=(self.longest,), categories=self.alphabet,
                    detail=f"{self.detail} aligned" if self.aligned else self.detail)

    def encode(self, strings: Iterable[str | None]) -> tuple[np.ndarray, np.ndarray]:
        """(codes end to end int32, offsets int64 (n + 1,)). A missing or empty string becomes one unknown token."""
        values, offsets = self._codes(["" if s is None else str(s) for s in strings])
        values, offsets = _never_empty(values, offsets)
        if self.aligned:
            return self._at_positions(values, offsets)
        return _cropped(values, offsets, self.limit, middle=self.detail in ("DNA", "RNA"))

    def state(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    def _codes(self, strings: list[str]) -> tuple[np.ndarray, np.ndarray]:
        if self.detail == "text":
            pieces = [_words(s) for s in strings]
        elif self.detail == "SMILES":
            pieces = [SMILES.findall(s.strip()) for s in strings]
        else:
            return _code_points(strings, self._table)
        offsets = np.concatenate([[0], np.cumsum([len(p) for p in pieces])]).astype(np.int64)
        known = self._lookup
        codes: dict[str, int] = {}
        for word in {w for p in pieces for w in p}:
            codes[word] = known.get(word) or self._bucket(word)
        return np.array([codes[w] for p in pieces for w in p], dtype=np.int32), offsets

    @cached_property
    def _lookup(self) -> dict[str, int]:
        return {symbol: i + 1 for i, symbol in enumerate(self.alphabet) if i > 0}

    @cached_property
    def _table(self) -> np.ndarray:
        """Code of each Unicode code point; upper and lower case alike for DNA, RNA and proteins, U as T and T as U."""
        points = [ord(symbol) for symbol in self.alphabet[1:]]
        table = np.ones(max([*points, 255]) + 2, dtype=np.int32)  # the last entry is for all that lie beyond
        table[points] = np.arange(2, len(points) + 2)
        if self.detail in FIXED:
            upper, lower = np.arange(65, 91), np.arange(97, 123)
            if self.detail in ("DNA", "RNA"):
                table[ord("U")] = table[ord("T")] = max(table[ord("U")], table[ord("T")])
            table[lower] = table[upper]
        return table

    def _bucket(self, word: str) -> int:
        """The code of a word that has none of its own, by its last three characters."""
        if not self.buckets:
            return 1
        return len(self.alphabet) - self.buckets + 1 + zlib.crc32(word[-3:].encode()) % self.buckets

    def _at_positions(self, values: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Every row at the same positions; where a row is too short, the unknown."""
        wanted = np.array(self.positions or range(self.length))
        count = len(offsets) - 1
        index = offsets[:-1, None] + wanted[None, :]
        there = index < offsets[1:, None]
        codes = np.where(there, values[np.minimum(index, max(len(values) - 1, 0))], 1)
        return codes.reshape(-1).astype(np.int32), np.arange(count + 1, dtype=np.int64) * len(wanted)


def vocabulary_from(state: Mapping[str, Any]) -> Vocabulary:
    """The Vocabulary whose `state()` this is (read back from JSON)."""
    return Vocabulary(**{**state, "alphabet": tuple(state["alphabet"]), "positions": tuple(state["positions"])})


def fit_tokens(strings: Iterable[str | None], detail: str = "", *, longest: int = 1024, words: int = 20000,
               at_least: int = 2, buckets: int = 256) -> Vocabulary:
    """The vocabulary of these (training) strings.

    detail: "DNA", "RNA", "protein", "SMILES", "characters" or "text"; "" decides between the last two by white space.
    longest: cut off beyond this many tokens. words: at most so many words get a code of their own, and only those met
    `at_least` times; the others share `buckets` codes by their ending. So a model meets rare words in training too.
    """
    present = [str(s) for s in strings if s is not None and str(s)]
    detail = detail or ("text" if sum(" " in s.strip() for s in present) * 2 > len(present) else "characters")
    if detail in FIXED:
        alphabet = (UNKNOWN, *FIXED[detail])
    elif detail == "text":
        alphabet = (UNKNOWN, *_frequent((w for s in present for w in _words(s)), words, at_least),
                    *(f"<rare {i}>" for i in range(buckets)))
    else:
        symbols = (w for s in present for w in (SMILES.findall(s.strip()) if detail == "SMILES" else s))
        alphabet = (UNKNOWN, *_frequent(symbols, words, at_least))
    plain = Vocabulary(alphabet, detail, longest, longest, buckets=buckets if detail == "text" else 0)
    values, offsets = plain._codes(present)
    lengths = np.diff(offsets)
    if detail in ("DNA", "RNA", "protein", "characters") and _is_aligned(values, lengths, len(alphabet) + 1, longest):
        return _aligned(plain, values, int(lengths[0]))
    return replace(plain, longest=int(min(max(lengths.max(initial=1), 1), longest)))


def token_batch(values: np.ndarray, offsets: np.ndarray, rows: np.ndarray, device: str = "cpu") -> Tokens:
    """Rows of an encoded column as padded Tokens, as long as the longest of them; no Python per row."""
    import torch

    from gnomon.data.kinds import Tokens

    codes, cuts = gather(values, offsets, rows)
    lengths = np.diff(cuts)
    mask = np.arange(lengths.max(initial=1)) < lengths[:, None]
    ids = np.zeros(mask.shape, dtype=np.int64)
    ids[mask] = codes
    return Tokens(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))


def _words(text: str) -> list[str]:
    """Lower-case words and single signs; every digit as 0, so that years and page numbers look alike."""
    return [re.sub(r"\d", "0", w) if not w.isalpha() else w for w in WORDS.findall(text.lower())]


def _frequent(symbols: Iterable[str], most: int, at_least: int) -> tuple[str, ...]:
    """The symbols met at least so often, commonest first, ties in alphabetical order."""
    counts = sorted(Counter(symbols).items(), key=lambda item: (-item[1], item[0]))
    return tuple(symbol for symbol, n in counts[:most] if n >= at_least)


def _code_points(strings: Sequence[str], table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All strings through a table from code point to code, at once."""
    points = np.frombuffer("".join(strings).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    lengths = np.fromiter(map(len, strings), dtype=np.int64, count=len(strings))
    return table[np.minimum(points, len(table) - 1)], np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _never_empty(values: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One unknown token where a row has none."""
    empty = np.flatnonzero(np.diff(offsets) == 0)
    shift = np.concatenate([[0], np.cumsum(np.diff(offsets) == 0)])
    return np.insert(values, offsets[empty], 1).astype(np.int32), offsets + shift


def _cropped(values: np.ndarray, offsets: np.ndarray, longest: int, *, middle: bool) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.diff(offsets)
    if lengths.max(initial=0) <= longest:
        return values, offsets
    kept = np.minimum(lengths, longest)
    start = offsets[:-1] + ((lengths - kept) // 2 if middle else 0)
    out = np.concatenate([[0], np.cumsum(kept)])
    return values[np.arange(out[-1]) + np.repeat(start - out[:-1], kept)], out


def _is_aligned(values: np.ndarray, lengths: np.ndarray, codes: int, longest: int) -> bool:
    """Equal lengths, and the mutual information of position and symbol, less its bias, is not next to nothing."""
    if len(lengths) < 10 or lengths.min() != lengths.max() or not 1 < lengths[0] <= longest:
        return False
    n, length = len(lengths), int(lengths[0])
    counts = np.bincount((np.arange(length) * codes + values.reshape(n, length)).ravel(), minlength=length * codes)
    share = counts.reshape(length, codes) / n
    overall = share.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        nats = np.nansum(np.where(share > 0, share * np.log(share / overall), 0.0), axis=1).mean()
    bias = ((overall > 0).sum() - 1) * (length - 1) / length / (2 * n)  # Miller 1955
    return bool(nats - bias > ALIGNED_NATS)


def _aligned(plain: Vocabulary, values: np.ndarray, length: int) -> Vocabulary:
    grid = values.reshape(-1, length)
    varying = np.flatnonzero((grid != grid[0]).any(axis=0))
    few = 0 < len(varying) <= length // 2
    positions = tuple(int(p) for p in varying) if few else ()
    return replace(plain, longest=len(positions) or length, aligned=True, length=length, positions=positions)
