"""A plane to look at: any layer, or the data themselves, by PCA, t-SNE or UMAP, with how far it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from gnomon.analyses.represent._moments import finite, pair
from gnomon.analyses.represent._planes import plane, principal, trust
from gnomon.card import Card
from gnomon.rng import stream

CARD = Card(
    name="Map of a representation",
    gist="Rows of a layer on a plane by PCA (at once), t-SNE or UMAP, coloured by anything known.",
    use_when="To see clusters, batches and outliers in what a layer holds, before asking a probe for numbers.",
    avoid_when="Reading sizes of clusters or distances between them off t-SNE or UMAP: only neighbours mean something.",
    paper="McInnes, Healy & Melville 2018, arXiv:1802.03426; van der Maaten & Hinton 2008, JMLR 9; "
          "Venna & Kaski 2001, ICANN (trustworthiness); Pearson 1901, Philosophical Magazine 2(11)",
    survey=("I12", "W8", "W4"),
    tune={"neighbours": (10, 50)},
    cost="seconds",
)
AXES = 50  # principal directions that t-SNE and UMAP start from


@dataclass(frozen=True)
class EmbeddingMap:
    """x, y of `rows` (places in what was given). explained: share of the variance of each axis (PCA only). trust: share
    in 0..1 by which neighbours on the plane are neighbours in the representation (1 = all; about 0.5 = chance).
    colours: name -> the values of those rows."""

    technique: str
    x: np.ndarray
    y: np.ndarray
    rows: np.ndarray
    explained: tuple[float, ...]
    trust: float
    colours: Mapping[str, np.ndarray] = field(default_factory=dict)


def embedding_map(representation: Any, colours: Mapping[str, Any] | None = None, *,
                  technique: Literal["PCA", "t-SNE", "UMAP"] = "PCA", most: int = 5000, neighbours: int = 15,
                  seed: int = 0) -> EmbeddingMap:
    """(n, d) on a plane.

    colours: name -> (n,) anything known. most: of more rows a seeded sample is drawn. neighbours: how many rows count as
    near (UMAP's n_neighbors; half of t-SNE's perplexity). t-SNE and UMAP see the leading 50 principal directions and start
    from the first two, so that one seed gives one map. UMAP costs about 15 s the first time in a process, as its code is
    compiled. With fewer than 10 rows or 3 directions the map is PCA's, and says so. Raises E-ACTIVATIONS for fewer than 3
    rows or values that are not finite.
    """
    values = pair(representation, representation, 3)[0]
    rows = np.sort(stream(seed, "embedding map").permutation(len(values))[:most])
    view = finite(values[rows]).astype(np.float64)
    axes, explained = principal(view, AXES)
    if technique == "PCA" or axes.shape[1] < 3 or len(axes) < 10:
        technique, flat = "PCA", np.pad(axes[:, :2], ((0, 0), (0, max(0, 2 - axes.shape[1]))))
    else:
        flat = plane(axes, technique, neighbours, seed)
        explained = ()
    told = {name: np.asarray(v)[rows] for name, v in (colours or {}).items()}
    return EmbeddingMap(technique, flat[:, 0], flat[:, 1], rows, tuple(explained[:2]), trust(axes, flat, seed), told)
