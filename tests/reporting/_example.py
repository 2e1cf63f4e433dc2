"""Study folders made from real data by quick scikit-learn fits: something to look at, and to test the page on.

python tests/reporting/_example.py DATA OUT     writes OUT/esol.study, OUT/fashion.study, OUT/concrete.study
"""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.analyses.explore.map_points import map_points
from gnomon.analyses.validate.calibration import calibration
from gnomon.analyses.validate.compare import compare
from gnomon.analyses.validate.interval import interval
from gnomon.analyses.validate.optimism import optimism
from gnomon.analyses.validate.subgroups import subgroups
from gnomon.data.parts import Fold, Parts
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.rng import stream
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress
from gnomon.values import Advice, Check, Recipe, finding, plain
from gnomon.workflow.exhibits import build_exhibits

PLAN = """# The plan of this study. Edit it and type the same command again: only what changed is done anew.
budget_seconds = 120.0
memory_mb = 900 # measured on this machine

[columns]
"{target}" = "target" # named with --target
"{inputs}" = "input" # its values read as {kind}s

[split]
policy = "{policy}" # {because}

[[candidate]]
model = "forest" # strong on {kind}s with few rows
method = "own_fit"
options = {{view = "{view}"}}
seconds = 2.1 # predicted
"""


def esol(folder: Path, source: Path, *, rows: int | None = None) -> Path:
    """Molecules to a number, split by scaffold, with learning curves of a small network."""
    import pandas as pd
    from rdkit import Chem
    from rdkit.Chem import Descriptors, rdFingerprintGenerator
    from rdkit.Chem.Scaffolds import MurckoScaffold

    frame = pd.read_csv(source / "molecules_esol" / "esol.csv").iloc[:rows]
    target = "measured log solubility in mols per litre"
    smiles = frame["smiles"].to_numpy(dtype=object)
    y = frame[target].to_numpy(dtype=float)
    data = made(
        {
            "smiles": Dense(smiles, Spec("molecule")),
            target: Dense(y, Spec("number", unit="log mol/L")),
            "Compound ID": Dense(frame["Compound ID"].to_numpy(dtype=object), Spec("text")),
            "ESOL predicted log solubility in mols per litre": Dense(
                frame.iloc[:, 1].to_numpy(dtype=float), Spec("number")
            ),
        },
        {
            "smiles": Role("input", "every value is read by RDKit as a molecule"),
            target: Role("target", "named with --target", True),
            "Compound ID": Role("identifier", "every value differs"),
            "ESOL predicted log solubility in mols per litre": Role(
                "ignore", "an answer under another name: it follows the target (r 0.91) and is computed"
            ),
        },
        "esol.csv",
    )
    mols = [Chem.MolFromSmiles(s) for s in smiles]
    maker = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=512)
    bits = np.stack([maker.GetFingerprintAsNumPy(m) for m in mols]).astype(np.float32)
    calls = (
        Descriptors.MolLogP,
        Descriptors.MolWt,
        Descriptors.TPSA,
        Descriptors.NumRotatableBonds,
        Descriptors.NumAromaticRings,
        Descriptors.NumHDonors,
    )
    simple = np.array([[c(m) for c in calls] for m in mols], dtype=np.float32)
    scaffold = np.array([MurckoScaffold.MurckoScaffoldSmiles(mol=m) for m in mols])
    units = np.unique(scaffold, return_inverse=True)[1].astype(np.int64)
    parts = parted(
        units,
        "scaffold family",
        "scaffold:smiles",
        "new molecules are usually of new series",
        "molecules of new chemical series; the same assay and laboratory. Other laboratories: not tested",
        "each molecule was measured independently. If rows share a plate or batch, say so: --group COL",
    )
    task = regress(target, mean=float(y[parts.develop].mean()), sd=float(y[parts.develop].std()), unit="log mol/L")
    views = {"forest": bits, "ridge": simple, "mlp": np.concatenate([simple, bits], axis=1)}
    weights = atom_weights(mols, y, bits, maker, parts)
    return study(folder, data, task, parts, views, units, weights, kind="molecule", source="esol.csv")


def atom_weights(mols: list[Any], y: np.ndarray, bits: np.ndarray, maker: Any, parts: Parts) -> list[np.ndarray]:
    """What each atom adds to a linear model on the same fingerprint: its bits' weights, spread over their atoms."""
    from rdkit.Chem import rdFingerprintGenerator
    from sklearn.linear_model import Ridge

    fold = parts.folds[0]
    coef = Ridge(alpha=30).fit(bits[fold.train], y[fold.train]).coef_
    out = []
    for mol in mols:
        extra = rdFingerprintGenerator.AdditionalOutput()
        extra.AllocateAtomToBits()
        maker.GetFingerprint(mol, additionalOutput=extra)
        out.append(np.array([sum(coef[b] for b in atom) for atom in extra.GetAtomToBits()]))
    return out


def fashion(folder: Path, source: Path, *, rows: int = 3000) -> Path:
    """Images to ten classes, random split."""

    def read(name: str, skip: int) -> np.ndarray:
        with gzip.open(source / "images_fashion_mnist" / name) as file:
            return np.frombuffer(file.read(), np.uint8, offset=skip)

    names = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
    images = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)[:rows].copy()
    labels = read("train-labels-idx1-ubyte.gz", 8)[:rows].astype(np.int32)
    data = made(
        {
            "image": Dense(images, Spec("image", shape=(1, 28, 28), detail="uint8")),
            "label": Dense(labels, Spec("category", categories=names)),
        },
        {"image": Role("input", "pixels"), "label": Role("target", "the only other column")},
        "fashion",
    )
    units = np.arange(rows)
    parts = parted(
        units,
        "row",
        "stratified",
        "nothing in the file groups the rows",
        "new images of the same catalogue; other photographers or years: not tested",
        "each image is an independent specimen; nothing in the file says otherwise",
    )
    task = classify("label", names)
    flat = images.reshape(rows, -1).astype(np.float32) / 255
    heat = occluded(fitted(task, "forest", flat, labels, parts.folds[0].train), flat[parts.test[:24]])
    return study(
        folder, data, task, parts, {"forest": flat, "ridge": flat}, units, heat, kind="image", source="fashion"
    )


def occluded(model: Any, flat: np.ndarray) -> list[np.ndarray]:
    """How much the probability of the predicted class falls when a 4 x 4 patch is blacked out."""
    whole = model.predict_proba(flat)
    top = whole.argmax(axis=1)
    heat = np.zeros((len(flat), 28, 28))
    for r in range(0, 28, 4):
        for c in range(0, 28, 4):
            hidden = flat.reshape(-1, 28, 28).copy()
            hidden[:, r : r + 4, c : c + 4] = 0
            drop = (whole - model.predict_proba(hidden.reshape(len(flat), -1)))[np.arange(len(flat)), top]
            heat[:, r : r + 4, c : c + 4] = drop[:, None, None]
    return list(heat)


def concrete(folder: Path, source: Path, *, show_rows: bool = False) -> Path:
    """A table to a number: no row is shown."""
    import pandas as pd

    frame = pd.read_csv(source / "tables_uci" / "concrete.csv")
    target = frame.columns[-1]
    columns = {str(c): Dense(frame[c].to_numpy(dtype=float), Spec("number")) for c in frame.columns}
    age = np.where(frame.iloc[:, 7] < 14, 0, np.where(frame.iloc[:, 7] < 60, 1, 2)).astype(np.int32)
    columns["age class"] = Dense(
        age, Spec("category", categories=("under 14 days", "14 to 59 days", "60 days and over"))
    )
    roles = {c: Role("input", "numbers, few missing") for c in columns}
    roles[str(target)] = Role("target", "the last column, and named like a result")
    roles["age class"] = Role("ignore", "a coarse copy of another column")
    data = made(columns, roles, "concrete.csv")
    mixes = np.unique(frame.iloc[:, :7].to_numpy(), axis=0, return_inverse=True)[1].astype(np.int64)
    parts = parted(
        mixes,
        "mix",
        "group:mix",
        "rows of one mix differ only in age",
        "new mixes from the same laboratory",
        "each mix is independent of the others",
    )
    y = columns[str(target)].values
    task = regress(str(target), mean=float(y.mean()), sd=float(y.std()), unit="MPa")
    x = frame.iloc[:, :8].to_numpy(dtype=np.float32)
    return study(
        folder,
        data,
        task,
        parts,
        {"forest": x, "ridge": x},
        mixes,
        [],
        kind="number",
        source="concrete.csv",
        labels={"age class": data.columns["age class"]},
        show_rows=show_rows,
    )


def made(columns: dict[str, Any], roles: dict[str, Role], path: str) -> Data:
    n = len(next(iter(columns.values())))
    return Data(columns, roles, np.arange(n), paths=(path,))


def parted(units: np.ndarray, unit: str, policy: str, because: str, scope: str, assumes: str) -> Parts:
    """80/10/10 by whole units."""
    names, size = np.unique(units, return_counts=True)
    shuffled = stream(0, "example split").permutation(len(names))
    order = shuffled[np.argsort(-size[shuffled], kind="stable")]  # the largest families train
    before = np.zeros(len(names))
    before[order] = np.cumsum(size[order]) / len(units)
    share = before[np.searchsorted(names, units)]
    train, valid, test = (np.flatnonzero(m) for m in (share <= 0.8, (share > 0.8) & (share <= 0.9), share > 0.9))
    return Parts((Fold(train, valid),), test, units, unit, policy, because, scope, assumes, "holdout")


def fitted(task: Any, name: str, x: np.ndarray, y: np.ndarray, train: np.ndarray, seed: int = 0) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    number = task.name == "regress"
    model = {
        "forest": (RandomForestRegressor if number else RandomForestClassifier)(60, random_state=seed, n_jobs=1),
        "ridge": make_pipeline(StandardScaler(), Ridge(10.0) if number else LogisticRegression(max_iter=60)),
        "mlp": make_pipeline(
            StandardScaler(),
            MLPRegressor(hidden_layer_sizes=(64,), max_iter=40, early_stopping=True, random_state=seed),
        ),
    }[name]
    return model.fit(x[train], y[train])


def said(task: Any, model: Any, x: np.ndarray) -> Prediction:
    if task.name == "regress":
        return Prediction(model.predict(x))
    proba = np.zeros((len(x), len(task.classes)))
    proba[:, model.classes_.astype(int)] = model.predict_proba(x)
    return Prediction(proba.argmax(axis=1), proba)


def study(
    folder: Path,
    data: Data,
    task: Any,
    parts: Parts,
    views: dict[str, np.ndarray],
    units: np.ndarray,
    weights: list[np.ndarray],
    *,
    kind: str,
    source: str,
    labels: dict[str, Any] | None = None,
    show_rows: bool = False,
) -> Path:
    """Fit, judge and write the four files the page is made from."""
    folder.mkdir(parents=True, exist_ok=True)
    fold, test = parts.folds[0], parts.test
    truth = task.truth(data, np.arange(len(data)))
    predicted: dict[str, tuple[Recipe, Prediction, Prediction]] = {}
    floor = task.naive(truth[fold.train])
    predicted["floor"] = (
        Recipe(task.name, "floor", "own_fit", because="what knowing nothing scores", family="floor"),
        floor.predict(len(fold.valid)),
        floor.predict(len(test)),
    )
    models, runs = {}, []
    for name, x in views.items():
        models[name] = fitted(task, name, x, truth, fold.train)
        family = "deep" if name == "mlp" else "simple"
        options = {"view": {"molecule": "morgan", "image": "pixels"}.get(kind, "standard")} if name != "mlp" else {}
        because = {
            "forest": f"strong on {kind}s with few rows",
            "ridge": "the simplest thing that can work",
            "mlp": "budget left after the simple models",
        }[name]
        recipe = Recipe(
            task.name,
            {"ridge": "ridge" if task.name == "regress" else "logistic"}.get(name, name),
            "own_fit" if family == "simple" else "supervised",
            options,
            400 if family == "deep" else 0,
            because,
            family,
        )
        predicted[name] = (recipe, said(task, models[name], x[fold.valid]), said(task, models[name], x[test]))
        if family == "deep":
            runs.append(log_of(models[name], folder, recipe))
    stats = {n: task.measure(t, truth[test]) for n, (_, _, t) in predicted.items()}
    order = sorted(
        (n for n in predicted if n != "floor"),
        key=lambda n: task.score(task.measure(predicted[n][1], truth[fold.valid])),
        reverse=task.metric.higher_is_better,
    )
    best, other = order[0], next((n for n in order[1:] if predicted[n][0].family == "simple"), order[-1])
    gap = compare(
        task,
        stats[best],
        stats[other],
        units[test],
        margin=0.05 * abs(task.score(stats["floor"]) - task.score(stats[other])),
    )
    found = calibration(stats[best], units[test]) if task.name == "classify" else None
    words = {n: np.array(c.spec.categories, dtype=object)[c.values[test]] for n, c in (labels or {}).items()}
    groups = [asdict(s) for s in subgroups(task, stats[best], units[test], words)] if words else []
    where = test if kind == "molecule" else test[: len(weights)]
    pictures = (
        [
            {
                "row": int(r),
                "kind": kind,
                "column": data.inputs[0],
                "weights": weights[r if kind == "molecule" else i],
                "prediction": float(predicted[best][2].value[i])
                if task.name == "regress"
                else str(task.classes[int(predicted[best][2].value[i])]),
                "truth": "",
                "technique": "occlusion" if kind == "image" else "integrated_gradients",
                "about": task.target,
            }
            for i, r in enumerate(where[:24])
        ]
        if weights
        else []
    )
    points = map_points(data, seed=0) if kind != "number" else flat_map(views["ridge"])
    exhibits = build_exhibits(
        data,
        task,
        parts,
        test,
        predicted[best][2],
        pictures=pictures,
        map_points=points,
        runs=runs,
        folder=folder,
        calibration=asdict(found) if found else None,
        subgroups=groups,
        show_rows=show_rows,
    )
    report = report_of(
        data,
        task,
        parts,
        predicted,
        truth,
        units,
        best,
        other,
        gap,
        groups,
        bool(weights),
        importances_of(task, models[best], views[best], truth, test, data.inputs),
        flattery_of(task, views["ridge"], truth, parts),
    )
    versions = {"format": 1, "python": "3.11", "seed": 0, "libraries": {"numpy": np.__version__}, "machine": "x86_64"}
    for name, value in (("report.json", report), ("exhibits.json", exhibits), ("versions.json", versions)):
        (folder / name).write_text(json.dumps(plain(value)), encoding="utf-8")
    (folder / "plan.toml").write_text(
        PLAN.format(
            target=task.target,
            inputs=data.inputs[0],
            kind=kind,
            policy=parts.policy,
            because=parts.because,
            view="standard",
        ),
        encoding="utf-8",
    )
    return folder


def importances_of(
    task: Any, model: Any, x: np.ndarray, truth: np.ndarray, test: np.ndarray, names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Loss of score when a column is shuffled; for one structured input, all its features at once."""
    intact = task.score(task.measure(said(task, model, x[test]), truth[test]))
    blocks = [[j] for j in range(x.shape[1])] if len(names) == x.shape[1] else [list(range(x.shape[1]))]
    out = []
    for name, block in zip(names, blocks, strict=False):
        drops = []
        for k in range(8):
            shuffled = x[test].copy()
            shuffled[:, block] = shuffled[stream(k, "shuffle", name).permutation(len(test))][:, block]
            drops.append(abs(task.score(task.measure(said(task, model, shuffled), truth[test])) - intact))
        half = 2.36 * np.std(drops) / np.sqrt(8)
        out.append(
            {
                "what": name,
                "value": float(np.mean(drops)),
                "low": float(np.mean(drops) - half),
                "high": float(np.mean(drops) + half),
            }
        )
    return sorted(out, key=lambda e: -e["value"])


def flattery_of(task: Any, x: np.ndarray, truth: np.ndarray, parts: Parts) -> dict[str, Any] | None:
    """The optimism gap of a ridge."""
    if parts.unit == "row":
        return None
    from sklearn.linear_model import Ridge

    rows = parts.develop
    return optimism(task, x[rows], truth[rows], parts.units[rows], make=lambda: Ridge(1.0), model="a ridge", repeats=2)


def log_of(pipeline: Any, folder: Path, recipe: Recipe) -> Path:
    """The network's own losses as log.csv."""
    place = folder / "runs" / recipe.hash / "0" / "fold0"
    place.mkdir(parents=True, exist_ok=True)
    net = pipeline[-1]
    lines = [
        "step,train,valid",
        *(
            f"{10 * i},{a:.5f},{max(0.0, 1 - b):.5f}"
            for i, (a, b) in enumerate(zip(net.loss_curve_, net.validation_scores_, strict=False))
        ),
    ]
    (place / "log.csv").write_text("\n".join(lines), encoding="utf-8")
    return place


def flat_map(x: np.ndarray) -> list[dict[str, Any]]:
    """Two layouts of one table."""
    z = (x - x.mean(0)) / x.std(0)
    _, s, v = np.linalg.svd(z, full_matrices=False)
    out = []
    for name, axes in (("PCA", (0, 1)), ("PCA, axes 3 and 4", (2, 3))):
        flat, share = z @ v[list(axes)].T, (s**2 / (s**2).sum())[list(axes)]
        out.append(
            {
                "technique": name,
                "x": flat[:, 0].tolist(),
                "y": flat[:, 1].tolist(),
                "rows": list(range(len(x))),
                "explained": share.tolist(),
                "note": f"{name} of the inputs, for this example.",
            }
        )
    return out


def report_of(
    data: Data,
    task: Any,
    parts: Parts,
    predicted: dict[str, Any],
    truth: np.ndarray,
    units: np.ndarray,
    best: str,
    other: str,
    gap: Any,
    groups: list[dict[str, Any]],
    drawn: bool,
    importances: list[dict[str, Any]],
    flattery: dict[str, Any] | None,
) -> dict[str, Any]:
    fold, test = parts.folds[0], parts.test
    judged = {best, other, "floor"}
    candidates = []
    for name, (recipe, valid, sealed) in predicted.items():
        v = interval(task, task.measure(valid, truth[fold.valid]), units[fold.valid], unit=parts.unit, repeats=400)
        t = interval(task, task.measure(sealed, truth[test]), units[test], unit=parts.unit, repeats=400)
        candidates.append(
            {
                "recipe": {**asdict(recipe), "hash": recipe.hash},
                "label": recipe.label,
                "family": recipe.family,
                "valid": asdict(v),
                "test": asdict(t) if name in judged else None,
                "seeds": 3 if name == "mlp" else 1,
                "seed_sd": 0.031 if name == "mlp" else None,
                "seconds": 2.4,
                "peak_mb": 610.0,
                "cut": None,
            }
        )
    head = next(c for c in candidates if c["recipe"]["hash"] == predicted[best][0].hash)["test"]
    names = [c for c in data.inputs]
    found = (
        [
            finding(
                "LOOK-LEAK",
                "warn",
                "'ESOL predicted log solubility in mols per litre' follows the target (r 0.91): it looks like an "
                "answer and is left out.",
                columns=("ESOL predicted log solubility in mols per litre",),
                values={"correlation": 0.91, "rows": 902},
                source="rank correlation on training rows",
            )
        ]
        if "smiles" in names
        else []
    )
    found += [
        finding(
            "LOOK-NEAR-DUPLICATE",
            "note",
            "18 rows are almost copies of others; they stay in one part.",
            rows=range(40, 58),
            values={"pairs": 9, "similarity": 0.98},
        ),
        finding("LOOK-SMALL", "note", f"{len(data):,} rows are few for a deep model."),
        finding("LOOK-MISSING", "fine", "No value is missing."),
    ]
    outcome = "better" if (gap.low or 0) > 0 else "undetermined"
    a, b = predicted[best][0].label, predicted[other][0].label
    claim = (
        f"{a} beats {b} on {len(np.unique(units[test]))} units: {task.metric.name} better by {gap.value:.3g}."
        if outcome == "better"
        else f"{a} scores better than {b} by {gap.value:.3g} {task.metric.name}: too few units to tell."
    )
    return {
        "format": 1,
        "version": "0.1.0",
        "status": "complete",
        "data": {
            "paths": list(data.paths),
            "rows": len(data),
            "hash": data.hash,
            "columns": [
                {"name": n, "kind": data.kind(n), "role": r.role, "because": r.because} for n, r in data.roles.items()
            ],
        },
        "task": {
            "name": task.name,
            "targets": [
                {
                    "column": task.target,
                    "task": task.name,
                    "metric": task.metric.name,
                    "higher_is_better": task.metric.higher_is_better,
                    "unit": task.metric.unit,
                }
            ],
        },
        "split": {
            "policy": parts.policy,
            "because": parts.because,
            "for": parts.scope,
            "assumes": parts.assumes,
            "unit": parts.unit,
            "folds": 1,
            "sizes": {"train": len(fold.train), "valid": len(fold.valid), "test": len(test)},
            "optimism": flattery,
        },
        "checks": [
            asdict(Check("LOOK-TIME", False, "no column holds dates", "a step of half a standard deviation")),
            asdict(Check("VALID-SEEDS", False, "fewer than three seeds of a deep model fitted in the budget")),
            asdict(Check("LOOK-DUPLICATE", True, "", "one pair")),
        ],
        "findings": [asdict(f) for f in found],
        "candidates": candidates,
        "left_out": [{"model": "gaussian_process", "because": "about 310 s, more than the budget leaves: --budget"}],
        "verdict": {
            "recommended": predicted[best][0].hash,
            "kind": predicted[best][0].family,
            "outcome": outcome,
            "claim": claim,
            "scope": parts.scope,
            "against": predicted[other][0].hash,
            "headline": head,
            "pilot": False,
            "difference": asdict(gap),
        },
        "explanations": [
            {
                "technique": "permutation_importance",
                "recipe": predicted[best][0].hash,
                "over": "units",
                "gates": [],
                "withheld": False,
                "metric": task.metric.name,
                "importances": importances,
                "other_checks": [],
            },
            {
                "technique": "occlusion" if "image" in names else "integrated_gradients",
                "recipe": predicted[best][0].hash,
                "over": "units",
                "withheld": not drawn,
                "gates": [
                    {"name": "randomised_weights", "passed": drawn, "value": 0.08},
                    {"name": "deletion_against_random", "passed": True, "value": 0.41},
                ],
                "importances": [],
                "other_checks": [],
            },
        ],
        "advice": [
            asdict(x)
            for x in (
                Advice(
                    "collect",
                    "measure more units: every interval here is wide for lack of them",
                    ("LOOK-SMALL",),
                    None,
                    "new measurements",
                ),
                Advice(
                    "model", "give it more time: --budget 4m would also try gaussian_process", (), None, "4 minutes"
                ),
                Advice("method", "use it: gnomon predict example.study NEW_FILE -o predicted.csv", (), None, "seconds"),
            )
        ],
        "cost": {"seconds": 41.5, "budget_seconds": 120.0, "peak_mb": 910.0},
        "ledger": {"test_openings": 1},
    }


if __name__ == "__main__":
    from gnomon.reporting.page import write_page

    for make, name in ((esol, "esol"), (fashion, "fashion"), (concrete, "concrete")):
        print(write_page(make(Path(sys.argv[2]) / f"{name}.study", Path(sys.argv[1]))))
