"""The rivals of the accuracy benchmark: each field's own simple model, written as its users write it, without gnomon.

Each is `rival(one, train, test) -> score` on the same rows and metric. They share nothing with gnomon's own features,
models or metrics, so that a fault of gnomon's cannot flatter both sides.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any

import numpy as np
import pandas as pd
from _sets import Set, frame


def score(metric: str, truth: np.ndarray, value: np.ndarray | None, proba: np.ndarray | None) -> float:
    """The set's metric by scikit-learn and scipy. proba (n, K), classes in sorted order."""
    from scipy.stats import spearmanr
    from sklearn import metrics

    if metric == "rmse":
        return float(np.sqrt(np.mean((truth - value) ** 2)))
    if metric == "spearman":
        return float(spearmanr(truth, value).statistic)
    if metric == "roc_auc":
        return float(metrics.roc_auc_score(truth == np.unique(truth)[-1], proba[:, -1]))
    if metric == "macro_f1":
        return float(metrics.f1_score(truth, value, average="macro"))
    return float(np.mean(truth == value))


def table_of(one: Set) -> tuple[pd.DataFrame, np.ndarray]:
    """Inputs and target of a set that is a table."""
    whole = frame(one)
    return whole.drop(columns=[one.target, *one.drop]), whole[one.target].to_numpy()


def judged(one: Set, model: Any, x: Any, y: np.ndarray, train: list[int], test: list[int]) -> float:
    """Fit a scikit-learn model on the training rows and score the test rows."""
    model.fit(x[train], y[train])
    proba = model.predict_proba(x[test]) if hasattr(model, "predict_proba") else None
    return score(one.metric, y[test], model.predict(x[test]), proba)


def numeric(table: pd.DataFrame) -> np.ndarray:
    return table.select_dtypes("number").to_numpy(dtype=float)


def forest(one: Set, train: list[int], test: list[int]) -> float:
    from sklearn.ensemble import RandomForestRegressor

    x, y = table_of(one)
    return judged(one, RandomForestRegressor(500, n_jobs=1, random_state=0), numeric(x), y, train, test)


def histogram_boosting(one: Set, train: list[int], test: list[int]) -> float:
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, y = table_of(one)
    return judged(one, HistGradientBoostingClassifier(random_state=0), numeric(x), y, train, test)


def bagged_boosting(one: Set, train: list[int], test: list[int]) -> float:
    """LightGBM as AutoGluon sets it (rate 0.05, early stopping), bagged over eight folds, predictions averaged."""
    import lightgbm
    from sklearn.model_selection import KFold, StratifiedKFold

    table, y = table_of(one)
    x, classes = numeric(table), one.metric not in ("rmse", "spearman")
    rare = np.unique(y[train], return_counts=True)[1].min() if classes else len(train)
    kind, folds = (StratifiedKFold if classes and rare >= 2 else KFold), int(min(8, max(2, rare)))
    make = lightgbm.LGBMClassifier if classes else lightgbm.LGBMRegressor
    train_rows, parts = np.asarray(train), []
    for fit, stop in kind(folds, shuffle=True, random_state=0).split(x[train], y[train]):
        model = make(n_estimators=10_000, learning_rate=0.05, n_jobs=1, verbosity=-1, random_state=0)
        model.fit(x[train_rows[fit]], y[train_rows[fit]], eval_set=[(x[train_rows[stop]], y[train_rows[stop]])],
                  callbacks=[lightgbm.early_stopping(100, verbose=False)])
        parts.append(model.predict_proba(x[test]) if classes else model.predict(x[test]))
    mean = np.mean(parts, axis=0)
    names = np.unique(y[train])
    return score(one.metric, y[test], names[mean.argmax(axis=1)] if classes else mean, mean if classes else None)


def _molecules(one: Set) -> tuple[list[Any], np.ndarray]:
    from rdkit import Chem, RDLogger

    RDLogger.DisableLog("rdApp.*")
    table, y = table_of(one)
    return [Chem.MolFromSmiles(s) for s in table[one.inputs]], y


def morgan_forest(one: Set, train: list[int], test: list[int]) -> float:
    from rdkit.Chem import rdFingerprintGenerator
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    molecules, y = _molecules(one)
    maker = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    x = np.stack([maker.GetFingerprintAsNumPy(m) for m in molecules])
    kind = RandomForestRegressor if one.metric == "rmse" else RandomForestClassifier
    return judged(one, kind(500, n_jobs=1, random_state=0), x, y, train, test)


def descriptor_ridge(one: Set, train: list[int], test: list[int]) -> float:
    from rdkit.Chem import Descriptors
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    molecules, y = _molecules(one)
    x = np.array([[f(m) for _, f in Descriptors.descList] for m in molecules], dtype=float)
    x = np.clip(np.nan_to_num(x, nan=0.0, posinf=1e5, neginf=-1e5), -1e5, 1e5)
    return judged(one, make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))), x, y, train, test)


def chemprop(one: Set, train: list[int], test: list[int]) -> float | None:
    """chemprop's own command with its defaults, 50 epochs, in the Python named by GNOMON_PEERS; None without it."""
    import tempfile
    from pathlib import Path

    if not os.environ.get("GNOMON_PEERS"):
        return None
    table, y = table_of(one)
    with tempfile.TemporaryDirectory() as scratch:
        pd.DataFrame({"smiles": table[one.inputs].iloc[train], "y": y[train]}).to_csv(f"{scratch}/train.csv", index=False)
        pd.DataFrame({"smiles": table[one.inputs].iloc[test]}).to_csv(f"{scratch}/test.csv", index=False)
        tool = [str(Path(os.environ["GNOMON_PEERS"]).with_name("chemprop"))]
        subprocess.run([*tool, "train", "-i", f"{scratch}/train.csv", "-t", "regression", "-o", f"{scratch}/out", "--epochs",
                        "50", "--split-sizes", "0.9", "0.1", "0.0", "--accelerator", "cpu", "--pytorch-seed", "0", "-q"],
                       check=True, capture_output=True)
        model = next(Path(scratch).rglob("best.pt"))
        subprocess.run([*tool, "predict", "-i", f"{scratch}/test.csv", "--model-paths", str(model), "-o",
                        f"{scratch}/told.csv", "--accelerator", "cpu", "-q"], check=True, capture_output=True)
        told = pd.read_csv(f"{scratch}/told.csv")
        value = told[next(c for c in told.columns if c != "smiles")].to_numpy(dtype=float)
    return score(one.metric, y[test], value, None)


def kmer_logistic(one: Set, train: list[int], test: list[int]) -> float:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler

    table, y = table_of(one)
    words = CountVectorizer(analyzer="char", ngram_range=(2, 5), lowercase=False)
    model = make_pipeline(words, MaxAbsScaler(), LogisticRegression(C=0.1, max_iter=2000))
    return judged(one, model, table[one.inputs].to_numpy(), y, train, test)


def tfidf_logistic(one: Set, train: list[int], test: list[int]) -> float:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    table, y = table_of(one)
    balanced = "balanced" if one.metric == "macro_f1" else None
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2),
                          LogisticRegression(C=10, max_iter=2000, class_weight=balanced))
    return judged(one, model, table[one.inputs].to_numpy(), y, train, test)


def _letters(one: Set) -> tuple[np.ndarray, np.ndarray]:
    """One-hot of the positions that vary."""
    table, y = table_of(one)
    codes = np.stack([np.frombuffer(s.encode(), np.uint8) for s in table[one.inputs]])
    codes = codes[:, (codes != codes[0]).any(axis=0)]
    parts = [(codes[:, [j]] == np.unique(codes[:, j])[None]) for j in range(codes.shape[1])]
    return np.concatenate(parts, axis=1).astype(float), y


def onehot_ridge(one: Set, train: list[int], test: list[int]) -> float:
    from sklearn.linear_model import Ridge

    x, y = _letters(one)
    return judged(one, Ridge(1.0), x, y, train, test)


def onehot_boosting(one: Set, train: list[int], test: list[int]) -> float:
    from sklearn.ensemble import HistGradientBoostingRegressor

    x, y = _letters(one)
    return judged(one, HistGradientBoostingRegressor(random_state=0, max_iter=300), x, y, train, test)


def plain_cnn(one: Set, train: list[int], test: list[int]) -> float:
    """Two convolutions, two dense layers, dropout, Adam: the tutorial's network, for 45 s."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    got = np.load(one.path())
    x = torch.from_numpy(got["images"]).float().unsqueeze(1) / 255
    y = torch.from_numpy(got["labels"].astype(np.int64))
    net = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1),
                        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.25), nn.Linear(64 * 49, 128), nn.ReLU(),
                        nn.Dropout(0.5), nn.Linear(128, 10))
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    rows, end = torch.tensor(train), time.monotonic() + 45
    while time.monotonic() < end:
        for some in rows[torch.randperm(len(rows))].split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[some]), y[some]).backward()
            optimiser.step()
            if time.monotonic() > end:
                break
    net.eval()
    with torch.no_grad():
        told = torch.cat([net(x[some]) for some in torch.tensor(test).split(500)]).argmax(1)
    return float((told == y[torch.tensor(test)]).float().mean())


def main() -> None:
    """Score one rival on one split (called in a process of its own): NAME SET SPLIT -> JSON on stdout."""
    import sys

    from _sets import sets

    name, key, split = sys.argv[1], sys.argv[2], int(sys.argv[3])
    one = sets()[key]
    lists = one.splits(split)
    started = time.perf_counter()
    print(json.dumps({"score": globals()[name](one, lists["train"], lists["test"]),
                      "seconds": round(time.perf_counter() - started, 1)}))


if __name__ == "__main__":
    main()
