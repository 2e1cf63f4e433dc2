"""Rows that are almost the same specimen: edited images, mutated sequences, salts of one molecule, copied rows."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import (
    Grouping,
    Looked,
    components,
    found,
    not_run,
    ran,
    relabel,
    sample,
    sampled_note,
)
from gnomon.analyses.explore._molecules import chemistry
from gnomon.analyses.explore._neighbours import FEWEST, aligned, nearest, shifted_nearest, too_close
from gnomon.analyses.explore._shingles import BANDS, DEPTH, alike, shingles, sketches
from gnomon.analyses.explore._views import number_view, thumbnails
from gnomon.analyses.explore.duplicates import specimen
from gnomon.card import Card
from gnomon.data.table import Data, missing

CARD = Card(
    name="Near-duplicates and families",
    gist="Pairs closer than chance: image thumbnails and table rows by neighbour distances, texts and sequences by "
         "MinHash of their pieces, molecules by parent structure and circular counts.",
    use_when="Always, before splitting: near copies across parts flatter the score as exact ones do.",
    avoid_when="A library of variants of one parent, where everything is near: families then say nothing.",
    paper="Broder 1997, On the resemblance and containment of documents; Levina & Bickel 2004, NIPS 17",
    survey=("P1", "W4"),
    cost="seconds",
)
CODE = "LOOK-NEAR-DUPLICATE"
PIECE = {"DNA": 6, "RNA": 6, "protein": 3}
IDENTITY = 0.9  # near copies share nine letters or words in ten, as in UniRef90 (Suzek et al. 2015)
FAMILY = 0.35  # Jaccard of pieces from which sequences are relatives: 89 % identity for DNA hexamers, 80 % for triples
NEAR_SIDE = 32  # pixels a side of the thumbnails that are compared
LIBRARY = 0.4  # a family with this share of the rows is a library of variants


def near_duplicates(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Near copies of the specimen column, or of whole number rows; families of sequences as a `cluster` grouping."""
    rows = np.arange(len(data))
    special = specimen(data, rows)
    kind = data.kind(special) if special else "number"
    if len(data) < 30:
        return Looked(checks=(not_run(CODE, "fewer than 30 rows: no density to compare with"),))
    if kind in ("sequence", "text"):
        return _by_pieces(data, special, sample(rows, int(2000 * seconds), seed, "near"))
    if kind == "molecule":
        return _by_structure(data, special, sample(rows, int(1500 * seconds), seed, "near"))
    rows = sample(rows, int(650 * seconds), seed, "near")
    return _by_distance(data, special, rows, seed)


def _by_distance(data: Data, special: str, rows: np.ndarray, seed: int) -> Looked:
    """Images (thumbnails, also a little shifted) and tables (numbers within equal categories) by neighbour distances."""
    if special:
        view = aligned(thumbnails(data, special, rows, NEAR_SIDE).mean(axis=1))
    else:
        parts = [_evenly(number_view(data.columns[n].take(rows), seed, n)) for n in data.of_kind("number")]
        parts += [3.0 * (data.columns[n].take(rows)[:, None] == np.arange(12)) for n in data.of_kind("category")]
        view = np.concatenate(parts, axis=1).astype(np.float32) if parts else np.zeros((len(rows), 0), np.float32)
    _, first = np.unique(view.reshape(len(rows), -1), axis=0, return_index=True)
    first = np.sort(first)
    few = "fewer than 3 dimensions vary independently: closeness proves nothing"
    if len(first) < 30 or view[0].size < 3:
        return Looked(checks=(not_run(CODE, few if view[0].size < 3 else "fewer than 30 distinct rows"),))
    distance, index = shifted_nearest(view[first]) if special else nearest(view[first])
    left, right, d, limit = too_close(distance, index, comparable=not special)
    if d < FEWEST:
        return Looked(checks=(not_run(CODE, few),))
    smallest = f"a copy within {limit:.1%} of the distance to the tenth neighbour{sampled_note(len(rows), len(data))}"
    return _report(data, special, rows, first[left], first[right], smallest, {"intrinsic_dimension": d})


def _evenly(view: np.ndarray) -> np.ndarray:
    """Columns of a robust view with heavy tails brought to unit variance: else these alone make the squared distances."""
    return view / np.maximum(view.std(axis=0), 1.0)


def _by_pieces(data: Data, name: str, rows: np.ndarray) -> Looked:
    """Texts and sequences: MinHash pairs; sequences also give families."""
    kind, known = data.kind(name), np.flatnonzero(~missing(data.columns[name], rows))
    values = data.columns[name].take(rows[known])
    width = 2 if kind == "text" else PIECE.get(data.columns[name].spec.detail, 4)
    distinct, place = np.unique(values.astype(str), return_inverse=True)
    keys, owner = shingles(distinct.tolist(), kind, width)
    left, right, score = alike(sketches(keys, owner, len(distinct)), FAMILY)
    first = np.zeros(len(distinct), dtype=np.int64)
    first[place[::-1]] = known[::-1]
    near = score >= least_shared(width)
    smallest = (f"two {kind}s with {IDENTITY:.0%} of their {'words' if kind == 'text' else 'letters'} in common"
                + sampled_note(len(rows), len(data)))
    family = components(len(distinct), left, right)
    sizes = np.bincount(family[place])
    if sizes.max() > LIBRARY * len(rows) and len(rows) > 50:
        claim = (f"{sizes.max() / len(place):.0%} of the {kind}s in '{name}' are variants of one parent; near-identity cannot "
                 "tie rows together here" + sampled_note(len(rows), len(data)))
        return Looked((found(data, CODE, "note", claim, columns=(name,), values={"largest_family": int(sizes.max())}),),
                      (ran(CODE, smallest),), facts={"variant_library": True})
    out = _report(data, name, rows, first[left[near]], first[right[near]], smallest,
                  {"families": int((sizes > 1).sum())})
    if kind != "sequence" or not (sizes > 1).any():
        return out
    codes = np.full(len(data), -1, dtype=np.int64)
    codes[rows[known]] = family[place]
    because = f"sequences in '{name}' that share over a third of their {width}-letter pieces are relatives"
    return Looked(out.findings, out.checks, {**out.groups, "family": Grouping(relabel(codes), because, "cluster")},
                  facts=out.facts)


def least_shared(width: int) -> float:
    """The estimated Jaccard similarity of pieces from which two texts count as near copies.

    A share q of equal letters leaves q^k of the pieces of k letters whole, so J = q^k / (2 - q^k) (Broder 1997; Ondov et
    al. 2016, eq. 4). Two standard errors of a sketch are allowed below the J of q = IDENTITY.
    """
    whole = IDENTITY**width
    expected = whole / (2 - whole)
    return max(FAMILY, expected - 2 * float(np.sqrt(expected * (1 - expected) / (BANDS * DEPTH))))


def _by_structure(data: Data, name: str, rows: np.ndarray) -> Looked:
    """Molecules that differ only in salt or stereo, or whose circular counts agree to 95 % (min over max)."""
    chem = chemistry(data, name, rows)
    if chem is None:
        return Looked(checks=(not_run(CODE, "RDKit is not installed (extra chem)"),))
    distinct, first = np.unique(np.array([c or "" for c in chem.canonical]), return_index=True)
    first = first[distinct != ""]
    _, twin = np.unique(np.array([p or "" for p in chem.parent[first]]), return_inverse=True)
    order = np.argsort(twin, kind="stable")
    same = np.flatnonzero(twin[order][1:] == twin[order][:-1])
    left, right = _count_pairs(chem.counts[first])
    left, right = np.append(order[same], left), np.append(order[same + 1], right)
    smallest = "two molecules equal but for salt or stereo, or 95 % alike by circular counts"
    return _report(data, name, rows, first[left], first[right], smallest + sampled_note(len(rows), len(data)), {},
                   common=0.05)


def _count_pairs(counts: np.ndarray, least: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Every pair with sum(min) / sum(max) >= least. Blocks of like size only: sums further apart cannot reach it."""
    order = np.argsort(counts.sum(axis=1, dtype=np.int64), kind="stable")
    total = counts.sum(axis=1, dtype=np.int64)[order]
    present = (counts[order] > 0).astype(np.float32)
    bits = present.sum(axis=1)
    lefts, rights = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for start in range(0, len(order), 512):
        stop = min(start + 512, len(order))
        end = int(np.searchsorted(total, total[stop - 1] / least, side="right"))
        shared = present[start:stop] @ present[start:end].T
        union = bits[start:stop, None] + bits[None, start:end] - shared
        a, b = np.nonzero(shared >= 0.85 * union)  # presence alone: a cheap first sieve
        a, b = a[a < b] + start, b[a < b] + start
        for piece in np.array_split(np.arange(len(a)), max(1, len(a) // 4096)):
            x, y = counts[order[a[piece]]], counts[order[b[piece]]]
            keep = np.minimum(x, y).sum(axis=1) >= least * np.maximum(np.maximum(x, y).sum(axis=1), 1)
            lefts.append(order[a[piece][keep]])
            rights.append(order[b[piece][keep]])
    return np.concatenate(lefts), np.concatenate(rights)


def _report(data: Data, name: str, rows: np.ndarray, left: np.ndarray, right: np.ndarray, smallest: str,
            facts: dict[str, float], *, common: float = 0.001) -> Looked:
    """The finding and the grouping from pairs of places in `rows`; up to two pairs, or a share `common` of the rows,
    are a note."""
    codes = components(len(rows), left, right)
    sizes = np.bincount(codes)[codes]
    alone = sizes < 2
    facts = {**facts, "near_duplicate_rows": int((~alone).sum())}
    if alone.all():
        return Looked(checks=(ran(CODE, smallest),), facts=facts)
    what = f"'{name}'" if name else "their numbers"
    listed = np.flatnonzero(~alone)[np.argsort(codes[~alone], kind="stable")]
    grade = "note" if (~alone).mean() <= common or (~alone).sum() <= 4 else "warn"
    claim = (f"{int((~alone).sum()):,} rows are almost the same as another in {what}"
             + sampled_note(len(rows), len(data)))
    finding = found(data, CODE, grade, claim, rows=rows[listed], columns=(name,) if name else (),
                    values={"groups": len(np.unique(codes[~alone]))}, source="near_duplicates")
    ties = np.full(len(data), -1, dtype=np.int64)
    ties[rows[~alone]] = codes[~alone]
    because = f"almost equal in {what}"
    groups = {"near-duplicates": Grouping(relabel(ties), because, "duplicate")}
    return Looked((finding,), (ran(CODE, smallest),), groups, facts=facts)
