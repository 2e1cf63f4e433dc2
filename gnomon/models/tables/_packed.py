"""Forests packed for keeping: all trees' nodes end to end in a few arrays, instead of one object with its own state a tree.

A forest of 300 trees saved tree by tree takes as long as fitting it; packed, it is a matter of milliseconds. Unpacking
builds scikit-learn's own trees again, so that predicting and tree SHAP see no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np


def pack(trees: Sequence[Any]) -> dict[str, np.ndarray]:
    """The fitted trees of a forest as arrays: offsets (T + 1,), depths (T,), values (nodes, outputs, classes), and one
    array for each field of scikit-learn's nodes, named "node.<field>"."""
    states = [tree.tree_.__getstate__() for tree in trees]
    nodes = np.concatenate([s["nodes"] for s in states])
    counts = [s["node_count"] for s in states]
    return {"offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            "depths": np.array([s["max_depth"] for s in states], dtype=np.int64),
            "values": np.concatenate([s["values"] for s in states]),
            **{f"node.{field}": np.ascontiguousarray(nodes[field]) for field in nodes.dtype.names}}


def unpack(packed: dict[str, np.ndarray], kind: type, shared: dict[str, Any]) -> list[Any]:
    """The trees again. kind: DecisionTreeRegressor or DecisionTreeClassifier; shared: the attributes every tree has
    (n_features_in_, n_outputs_, classes_ ...). Fields that this scikit-learn does not know are left out."""
    from sklearn.tree._tree import NODE_DTYPE, Tree

    offsets, values = packed["offsets"], packed["values"]
    nodes = np.zeros(offsets[-1], dtype=NODE_DTYPE)
    for field in nodes.dtype.names or ():
        if f"node.{field}" in packed:
            nodes[field] = packed[f"node.{field}"]
    classes = np.full(values.shape[1], values.shape[2], dtype=np.intp)
    trees = []
    for k, (a, b) in enumerate(pairwise(offsets)):
        tree = kind()
        tree.__dict__.update(shared)
        tree.tree_ = Tree(shared["n_features_in_"], classes, values.shape[1])
        tree.tree_.__setstate__({"max_depth": int(packed["depths"][k]), "node_count": int(b - a),
                                 "nodes": np.ascontiguousarray(nodes[a:b]), "values": np.ascontiguousarray(values[a:b])})
        trees.append(tree)
    return trees
