"""A tree of representations: which layers, models, seeds or groups of inputs are represented alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.card import Card
from gnomon.errors import InputError

CARD = Card(
    name="Tree of similarities",
    gist="Hierarchical clustering of a matrix of similarities: families, subfamilies, and who stands alone.",
    use_when="Many representations were compared in pairs (languages, sites, layers, seeds): show their families.",
    avoid_when="The fidelity is low (below about 0.8): the similarities are not tree-like; show the matrix or a map.",
    paper="Kudugunta, Bapna, Caswell & Firat 2019, arXiv:1909.02197; Sokal & Rohlf 1962, Taxon 11 (fidelity)",
    survey=("I13", "W8"),
    cost="seconds",
)


@dataclass(frozen=True)
class Tree:
    """names in the order of input; joins (m - 1, 4) as scipy's linkage: two clusters, their distance, members.
    order: names as they stand at the tips. fidelity: correlation of distances in the tree with those given."""

    names: tuple[str, ...]
    joins: np.ndarray
    order: tuple[str, ...]
    fidelity: float

    def families(self, count: int) -> Mapping[str, int]:
        """name -> which of `count` clusters, numbered from 0 by first appearance."""
        from scipy.cluster.hierarchy import fcluster

        codes = fcluster(self.joins, count, criterion="maxclust")
        seen = {code: i for i, code in enumerate(dict.fromkeys(codes.tolist()))}
        return {n: seen[c] for n, c in zip(self.names, codes.tolist(), strict=True)}

    def newick(self) -> str:
        """The tree in Newick's format, with lengths, for any tree viewer."""
        m = len(self.names)
        text = {i: name.translate(str.maketrans("(),:;'", "______")) for i, name in enumerate(self.names)}
        height = dict.fromkeys(range(m), 0.0)
        for k, (a, b, distance, _) in enumerate(self.joins.tolist()):
            parts = [f"{text[int(c)]}:{max(distance - height[int(c)], 0) / 2:.6g}" for c in (a, b)]
            text[m + k], height[m + k] = f"({','.join(parts)})", distance
        return text[2 * m - 2] + ";"


def similarity_tree(similarity: np.ndarray, names: Sequence[str], *, linkage: str = "average") -> Tree:
    """Cluster things by a symmetric matrix of similarities (m, m), 1 on the diagonal; distance = 1 - similarity.

    linkage: "average" (UPGMA), "complete" or "single". Fidelity is the cophenetic correlation: 1 when the similarities
    are exactly those of a tree with equal depth. Raises E-SIMILARITY when the matrix is not square, symmetric, finite or
    has no two members.
    Differs: the paper embeds the similarities by a spectral method and looks at neighbours; the tree is its reading.
    """
    from scipy.cluster.hierarchy import cophenet, leaves_list
    from scipy.cluster.hierarchy import linkage as joined
    from scipy.spatial.distance import squareform

    s = np.asarray(similarity, dtype=float)
    if s.ndim != 2 or s.shape != (len(names), len(names)) or len(names) < 2 or not np.allclose(s, s.T, atol=1e-6):
        raise InputError("E-SIMILARITY", f"a symmetric matrix over the {len(names)} names was wanted; it is {s.shape}",
                         do="compare every pair once and put 1 on the diagonal")
    distance = 1 - (s + s.T) / 2
    np.fill_diagonal(distance, 0)
    flat = np.maximum(squareform(distance, checks=False), 0)
    joins = joined(flat, method=linkage, optimal_ordering=len(names) <= 500)
    told = cophenet(joins, flat)[0] if np.ptp(flat) > 0 and len(flat) > 1 else 1.0
    return Tree(tuple(map(str, names)), joins, tuple(str(names[i]) for i in leaves_list(joins)), float(told))
