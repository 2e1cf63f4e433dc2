"""Recurrent sequence motifs from attributions: short stretches with weight, found again in many rows, as one logo each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.analyses.attribute._intervals import mean_over_units
from gnomon.analyses.attribute._seqlets import Seqlets, found_seqlets, likeness, one_hot, shuffled_likeness
from gnomon.card import Card

CARD = Card(
    name="Sequence motifs from attributions",
    gist="Stretches with much attribution, clustered over rows and aligned: letter counts, information, a logo.",
    use_when="A model of DNA, RNA or proteins was explained letter by letter and the question is what it looks for.",
    avoid_when="The attribution failed its gates, or all rows are aligned: then positions say more than motifs.",
    paper="Shrikumar et al. 2018, arXiv:1811.00416; Schneider & Stephens 1990, NAR 18",
    survey=("T2", "I1"),
    reads=("sequence",),
    cost="seconds",
)
ALIKE_QUANTILE = 0.99  # of the likeness of seqlets whose positions were shuffled; what is more alike belongs together
MOST_SEQLETS = 1500  # the heaviest are clustered
SURE, LIKELY = 0.75, 0.5  # shares from which the consensus writes a letter, or writes it small


@dataclass(frozen=True)
class Motif:
    """counts: (w, letters) how often each letter stands at each place of the aligned sites. information: (w,) bits above
    the background, corrected for few sites. contribution: (w, letters) mean attribution. sites: (row, start, reversed).
    rows: how many rows hold a site. value, low, high: what one site adds to the output (95 % over units)."""

    letters: str
    counts: np.ndarray
    information: np.ndarray
    contribution: np.ndarray
    background: np.ndarray
    sites: tuple[tuple[int, int, bool], ...]
    rows: int
    value: float
    low: float | None
    high: float | None

    @property
    def shares(self) -> np.ndarray:
        """(w, letters) of each letter at each place."""
        return self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)

    @property
    def consensus(self) -> str:
        """The commonest letter a place: small below three quarters, "." below a half."""
        best = self.shares.max(axis=1)
        text = [self.letters[k] for k in self.shares.argmax(axis=1)]
        return "".join(c if p >= SURE else c.lower() if p >= LIKELY else "." for c, p in zip(text, best, strict=True))

    @property
    def log_odds(self) -> np.ndarray:
        """(w, letters) log2 of share over background, one pseudo-count spread like the background."""
        shares = (self.counts + self.background) / (self.counts.sum(axis=1, keepdims=True) + 1)
        return np.log2(shares / self.background)


def motifs(sequences: Sequence[str], weights: Sequence[np.ndarray], *, units: np.ndarray | None = None,
           letters: str = "ACGT", width: int = 8, flank: int = 6, fewest: int = 5, both_strands: bool = False,
           seed: int = 0) -> tuple[Motif, ...]:
    """Motifs found in at least `fewest` rows, the most frequent first.

    weights: one signed number a letter of each sequence. units: the independent unit of each row (None: rows).
    letters: the alphabet; others count as unknown. width: letters of the stretches searched for; flank: letters
    looked at beside them (the motif may be up to width + 2 flank long). both_strands: DNA whose reverse complement is
    the same thing.

    Seqlets are stretches whose summed weight exceeds what shuffling the weights within rows gives (share of false ones
    0.05). Likeness of two is the largest cosine of their weight-times-letter matrices over shifts; average linkage joins
    them down to the likeness that shuffled seqlets reach in 1 % of pairs. A motif ends where letters no longer differ
    from the background (G test) or carry no weight (t test; both Bonferroni over places).

    Differs: TF-MoDISco uses a continuous Jaccard likeness, density-adapted k-nearest-neighbour graphs, Louvain
    clusters and several rounds of merging and splitting; one round of average linkage takes seconds and has no seed
    dependence in its clusters.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    sequences = [s.upper() for s in sequences]
    units = np.arange(len(sequences)) if units is None else np.asarray(units)
    hot = one_hot(sequences, letters)
    background = (hot.sum(axis=(0, 1)) + 1) / (hot.sum() + len(letters))
    out = []
    for sign in (1.0, -1.0):
        seqlets = found_seqlets(hot, weights, sign, width, flank, seed, most=MOST_SEQLETS)
        if len(seqlets) < fewest:
            continue
        alike, shift, turned = likeness(seqlets, both_strands)
        cut = float(np.quantile(shuffled_likeness(seqlets, both_strands, seed), ALIKE_QUANTILE))
        tree = linkage(squareform(np.maximum(1 - alike, 0), checks=False), method="average")
        for name in np.unique(labels := fcluster(tree, 1 - cut, criterion="distance")):
            members = np.flatnonzero(labels == name)
            centre = members[alike[np.ix_(members, members)].mean(axis=1).argmax()]
            members = members[alike[centre, members] >= cut]  # stragglers that only other stragglers are like
            if len(np.unique(seqlets.row[members])) >= fewest:
                out.append(_aligned(seqlets, members, shift[centre], turned[centre], hot, letters, background, units))
    found = [m for m in out if m is not None and m.rows >= fewest]
    return tuple(sorted(found, key=lambda m: -m.rows))


def _aligned(seqlets: Seqlets, members: np.ndarray, shift: np.ndarray, turned: np.ndarray, hot: np.ndarray,
             letters: str, background: np.ndarray, units: np.ndarray) -> Motif | None:
    """The motif of these seqlets, laid over their most typical one; None where no letter stands out."""
    width = seqlets.values.shape[1]
    starts = seqlets.start[members] - np.where(turned[members], -1, 1) * shift[members]
    once = np.unique(np.stack([seqlets.row[members], starts, turned[members]]), axis=1, return_index=True)[1]
    members, starts = members[once], starts[once]  # two stretches of one site count once
    places = starts[:, None] + np.arange(width)
    inside = (places >= 0) & (places < hot.shape[1])
    rows = seqlets.row[members][:, None]
    taken = np.where(inside[..., None], hot[rows, places.clip(0, hot.shape[1] - 1)], 0)
    weight = np.where(inside, seqlets.weights[rows, places.clip(0, hot.shape[1] - 1)], 0)
    valued = taken * weight[..., None]
    back = turned[members]
    taken[back], valued[back] = taken[back][:, ::-1, ::-1], valued[back][:, ::-1, ::-1]
    counts = taken.sum(axis=0)
    kept = _standing_out(counts, valued.sum(axis=2), background)
    if not len(kept):
        return None
    span = slice(kept[0], kept[-1] + 1)
    long = span.stop - span.start
    begin = starts + np.where(back, width - span.stop, span.start)
    total = valued[:, span].sum(axis=(1, 2))
    value, low, high = mean_over_units(total, units[seqlets.row[members]])
    sites = sorted({(int(r), int(s), bool(b)) for r, s, b in zip(seqlets.row[members], begin, back, strict=True)
                    if 0 <= s <= hot.shape[1] - long})
    return Motif(letters, counts[span], information(counts[span], background), valued[:, span].mean(axis=0), background,
                 tuple(sites), len({r for r, _, _ in sites}), value, low, high)


def _standing_out(counts: np.ndarray, weight: np.ndarray, background: np.ndarray, level: float = 0.05) -> np.ndarray:
    """Places whose letters differ from the background (G test) and whose weight (sites, w) differs from 0 (t test), each
    Bonferroni over the places."""
    from scipy.stats import chi2, t

    n = counts.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(counts > 0, counts * np.log(counts / (n[:, None] * background)), 0.0)
    letters = chi2.sf(2 * terms.sum(axis=1), counts.shape[1] - 1)
    error = np.maximum(weight.std(axis=0, ddof=1) / np.sqrt(len(weight)), 1e-12 * max(float(np.abs(weight).max()), 1e-300))
    weights = 2 * t.sf(np.abs(weight.mean(axis=0)) / error, len(weight) - 1)
    return np.flatnonzero(np.maximum(letters, weights) < level / len(counts))


def information(counts: np.ndarray, background: np.ndarray) -> np.ndarray:
    """(w,) bits: sum_a p_a log2(p_a / b_a) - (letters - 1) / (2 n ln 2), at least 0 (Schneider et al. 1986)."""
    n = np.maximum(counts.sum(axis=1), 1)
    shares = counts / n[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = np.where(shares > 0, shares * np.log2(shares / background), 0.0).sum(axis=1)
    return np.maximum(bits - (counts.shape[1] - 1) / (2 * np.log(2) * n), 0.0)


def occurrences(motif: Motif, sequences: Sequence[str]) -> list[tuple[int, int]]:
    """(row, start) of the best place in each sequence whose log-odds reach those of nine tenths of the motif's own
    sites and are above 0; forward strand."""
    width, scores = len(motif.counts), motif.log_odds
    own = (motif.shares * scores).sum()  # the mean score of the sites
    spread = np.sqrt(((motif.shares * scores**2).sum(axis=1) - (motif.shares * scores).sum(axis=1) ** 2).sum())
    least = max(own - 1.28 * spread, 0.0) - 1e-3  # bits; the scores are float32
    hot = one_hot([s.upper() for s in sequences], motif.letters)
    if hot.shape[1] < width:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(hot, width, axis=1)  # (n, L - w + 1, letters, w)
    found = np.einsum("nlaw,wa->nl", windows, scores)
    lengths = np.array([len(s) for s in sequences])
    found[np.arange(found.shape[1])[None, :] + width > lengths[:, None]] = -np.inf
    best = found.argmax(axis=1)
    return [(int(r), int(best[r])) for r in np.flatnonzero(found.max(axis=1) >= least)]
