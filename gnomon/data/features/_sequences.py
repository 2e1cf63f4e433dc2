"""Sequences of letters (DNA, RNA, protein) and lists of mutations as counts, positions and composition."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

MERS = 10_000  # k grows while there are at most so many k-mers
ALIGNED = 0.5  # mean share of the commonest letter beyond which sequences of one length count as aligned
SHORT = 40  # sequences of one length up to this one are read by position too
POSITIONS = 3_000  # longest sequences that are read by position
MUTATION = re.compile(r"^([A-Z*]\d+[A-Z*])([,;:/+_ -]+[A-Z*]\d+[A-Z*])*$")
SPLIT = re.compile(r"[,;:/+_ -]+")
WILD = ("", "WT", "WILDTYPE", "WILD-TYPE", "_WT")
# Kyte & Doolittle 1982 hydropathy; side-chain charge near pH 7; residue volume in cubic angstrom (Zamyatnin 1972)
HYDROPATHY = dict(zip("ARNDCQEGHILKMFPSTWYV", (1.8, -4.5, -3.5, -3.5, 2.5, -3.5, -3.5, -.4, -3.2, 4.5, 3.8, -3.9, 1.9,
                                               2.8, -1.6, -.8, -.7, -.9, -1.3, 4.2), strict=True))
CHARGE = {"K": 1.0, "R": 1.0, "H": 0.1, "D": -1.0, "E": -1.0}
VOLUME = dict(zip("ARNDCQEGHILKMFPSTWYV", (88.6, 173.4, 114.1, 111.1, 108.5, 143.8, 138.4, 60.1, 153.2, 166.7, 166.7,
                                           168.6, 162.9, 189.9, 112.7, 89.0, 116.1, 227.8, 193.6, 140.0), strict=True))


def letters_of(sequences: np.ndarray) -> str:
    """The letters that occur, upper case, in order."""
    return "".join(sorted(set().union(*(set(s.upper()) for s in sequences if s), set()) - set(" -*.")))


def is_mutations(sequences: np.ndarray) -> bool:
    """Whether these are lists of mutations such as "A108D,N144D" rather than the sequences themselves."""
    known = [s for s in sequences[:2000] if s and s.upper() not in WILD]
    return bool(known) and sum(bool(MUTATION.match(s.strip())) for s in known) >= 0.95 * len(known)


def is_aligned(sequences: np.ndarray) -> bool:
    """One length, and short or with mostly conserved positions: then a position means the same in every row."""
    lengths = {len(s) for s in sequences if s}
    if len(lengths) != 1 or max(lengths) > POSITIONS:
        return False
    if max(lengths) <= SHORT:
        return True
    codes = _padded(sequences, letters_of(sequences), max(lengths))
    share = [np.bincount(c[c > 0]).max(initial=0) / max((c > 0).sum(), 1) for c in codes.T]
    return float(np.mean(share)) > ALIGNED


def _upper(text: str) -> str:
    """Upper case; what is not ASCII stays, for it might change in length."""
    return text.upper() if text.isascii() else text


def _codes(sequences: np.ndarray, letters: str) -> tuple[np.ndarray, np.ndarray]:
    """All sequences end to end as places in `letters` (-1: none of them), and the row of each letter."""
    table = np.full(256, -1, dtype=np.int64)
    for place, letter in enumerate(letters):
        table[ord(letter) % 256] = place
    plain = ["" if s is None else _upper(s) for s in sequences]
    joined = np.frombuffer("".join(plain).encode("latin-1", "replace"), dtype=np.uint8)
    return table[joined], np.repeat(np.arange(len(plain)), [len(s) for s in plain])


def _padded(sequences: np.ndarray, letters: str, length: int) -> np.ndarray:
    """(n, length) codes from 1 on; 0 where there is no letter or an unknown one."""
    codes, row = _codes(sequences, letters)
    starts = np.concatenate([[0], np.cumsum([len(s) if s else 0 for s in sequences])])[:-1]
    place = np.arange(len(codes)) - starts[row]
    out = np.zeros((len(sequences), length), dtype=np.int64)
    inside = place < length
    out[row[inside], place[inside]] = codes[inside] + 1
    return out


def longest_mer(letters: str) -> int:
    """The k up to which k-mers are counted: 5 for four letters, 3 for twenty."""
    k = 1
    while len(letters) ** (k + 1) <= MERS and k < 5:
        k += 1
    return k


def kmers(sequences: np.ndarray, letters: str) -> Any:
    """(n, A + A^2 + ... + A^k) csr: how often each word of 1 to k letters occurs, per 100 letters."""
    from scipy.sparse import csr_matrix

    codes, row = _codes(sequences, letters)
    base, rows, places, start = len(letters), [], [], 0
    word, good = np.zeros(len(codes), np.int64), np.ones(len(codes), bool)
    for k in range(1, longest_mer(letters) + 1):
        word, good = word[:len(codes) - k + 1], good[:len(codes) - k + 1]
        ahead = codes[k - 1:]
        word, good = word * base + ahead, good & (ahead >= 0) & (row[k - 1:] == row[:len(row) - k + 1])
        rows.append(row[:len(word)][good])
        places.append(start + word[good])
        start += base**k
    lengths = np.array([max(len(s), 1) if s else 1 for s in sequences])
    at = np.concatenate(rows)
    ones = (100.0 / lengths[at]).astype(np.float32)
    out = csr_matrix((ones, (at, np.concatenate(places))), shape=(len(sequences), start))
    out.sum_duplicates()
    return out


def mer_names(letters: str) -> tuple[str, ...]:
    from itertools import product

    return tuple("".join(word) for k in range(1, longest_mer(letters) + 1) for word in product(letters, repeat=k))


def both_strands(sequences: np.ndarray, letters: str) -> Any:
    """(n, d) csr: k-mers of DNA with each word and its reverse complement counted as one (Ghandi et al. 2014,
    doi:10.1371/journal.pcbi.1003711): the same for a sequence read from either strand."""
    from scipy.sparse import csr_matrix

    counts, place = kmers(sequences, letters), _canonical(letters)
    merge = csr_matrix((np.ones(len(place), np.float32), (np.arange(len(place)), place)))
    return csr_matrix(counts @ merge)


def strand_names(letters: str) -> tuple[str, ...]:
    names, place = mer_names(letters), _canonical(letters)
    first = np.unique(place, return_index=True)[1]
    return tuple(f"{names[i]} or {_reverse(names[i])}" for i in first)


def _reverse(word: str) -> str:
    return word[::-1].translate(str.maketrans("ACGT", "TGCA"))


def _canonical(letters: str) -> np.ndarray:
    """The joint column of each k-mer and its reverse complement; letters beyond ACGT stand for themselves."""
    return np.unique([min(word, _reverse(word)) for word in mer_names(letters)], return_inverse=True)[1]


def by_position(sequences: np.ndarray, letters: str, length: int) -> Any:
    """(n, length x A) csr: one at each position's letter."""
    from scipy.sparse import csr_matrix

    codes = _padded(sequences, letters, length)
    row, place = np.nonzero(codes)
    column = place * len(letters) + codes[row, place] - 1
    return csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=(len(codes), length * len(letters)))


def position_names(letters: str, length: int) -> tuple[str, ...]:
    return tuple(f"{letter} at {place + 1}" for place in range(length) for letter in letters)


def residues(sequences: np.ndarray, length: int) -> np.ndarray:
    """(n, 3 x length): hydropathy, volume and charge of the residue at each position, NaN where there is none."""
    letters = "".join(sorted(VOLUME))
    table = np.full((len(letters) + 1, 3), np.nan)
    table[1:] = [[HYDROPATHY[a], VOLUME[a], CHARGE.get(a, 0.0)] for a in letters]
    return table[_padded(sequences, letters, length)].reshape(len(sequences), -1).astype(np.float32)


def residue_names(length: int) -> tuple[str, ...]:
    return tuple(f"{what} at {p + 1}" for p in range(length) for what in ("hydropathy", "volume", "charge"))


def composition(sequences: np.ndarray, letters: str, protein: bool) -> np.ndarray:
    """(n, d): length and its log, each letter's share; for proteins mean hydropathy, mean volume, net charge,
    charged and aromatic shares; for nucleic acids the GC share. NaN rows for missing sequences."""
    codes, row = _codes(sequences, letters)
    n, base = len(sequences), len(letters)
    lengths = np.array([len(s) if s else 0 for s in sequences], dtype=float)
    inside = codes >= 0
    counts = np.bincount(row[inside] * base + codes[inside], minlength=n * base).reshape(n, base)
    shares = counts / np.maximum(lengths, 1)[:, None]
    if protein:
        worth = np.array([[HYDROPATHY.get(a, 0), VOLUME.get(a, 0), CHARGE.get(a, 0), a in "KRDE", a in "FWYH"]
                          for a in letters], dtype=float).reshape(base, 5)
        extra = shares @ worth
        extra[:, 2] *= lengths
    else:
        extra = shares @ np.array([a in "GC" for a in letters], dtype=float).reshape(base, 1)
    out = np.column_stack([lengths, np.log1p(lengths), shares, extra])
    out[lengths == 0] = np.nan
    return out.astype(np.float32)


def composition_names(letters: str, protein: bool) -> tuple[str, ...]:
    of_proteins = ("mean hydropathy", "mean volume", "net charge", "charged share", "aromatic share")
    return ("length", "log length", *(f"share of {a}" for a in letters), *(of_proteins if protein else ("GC share",)))


def _listed(text: str | None) -> list[str]:
    if text is None or text.strip().upper() in WILD:
        return []
    return SPLIT.split(text.strip().upper())


def fit_mutations(sequences: np.ndarray) -> list[str]:
    """The mutations that occur, by position."""
    found = sorted({m for s in sequences for m in _listed(s)}, key=lambda m: (_site(m), m))
    return found or ["none"]


def _site(mutation: str) -> int:
    digits = re.sub(r"\D", "", mutation)
    return int(digits) if digits else -1


def mutations(sequences: np.ndarray, known: list[str]) -> Any:
    """(n, m + 1) csr: one for each mutation a row has, and how many it has in all, never seen ones counted too."""
    from scipy.sparse import csr_matrix

    place = {m: i for i, m in enumerate(known)}
    columns, values, ends = [], [], [0]
    for text in sequences:
        listed = _listed(text)
        at = sorted({place[m] for m in listed if m in place})
        columns += [*at, len(known)]
        values += [1.0] * len(at) + [float(len(listed))]
        ends.append(len(columns))
    return csr_matrix((np.array(values, np.float32), columns, ends), shape=(len(sequences), len(known) + 1))
