"""Tables made of the data sets in `shared/data`: forms that are no table by the plainest features of their kind."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from _kit import DATA

SIDE = 16  # pixels of a small picture's edge


def csv(name: str) -> Callable[[], pd.DataFrame]:
    return lambda: pd.read_csv(DATA / name)


def last_column(name: str) -> str:
    return pd.read_csv(DATA / name, nrows=1).columns[-1]


def sklearn_table(name: str) -> Callable[[], pd.DataFrame]:
    def table() -> pd.DataFrame:
        import sklearn.datasets

        got = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
        return named(got.data, got.target) if name != "diabetes" else got.data.assign(answer=got.target)

    return table


def named(x: Any, classes: Any, prefix: str = "x") -> pd.DataFrame:
    """A table of the columns of x with the classes as words."""
    out = x.reset_index(drop=True) if isinstance(x, pd.DataFrame) else pd.DataFrame(np.asarray(x)).add_prefix(prefix)
    return out.assign(answer=[f"class {c}" for c in np.ravel(classes)])


def rosmap(part: str) -> Callable[[], pd.DataFrame]:
    def table() -> pd.DataFrame:
        read = lambda name: pd.read_csv(next((DATA / "omics_rosmap").glob(f"{name}.csv*")))  # noqa: E731
        x, y = (pd.concat([read(f"{name}_{p}") for p in ("train", "test")]) for name in (part, "labels"))
        return named(x, y["label"])

    return table


def lagged(file: str, column: str, lags: int = 12) -> Callable[[], pd.DataFrame]:
    """A series as rows of its last `lags` values and the next one."""
    def table() -> pd.DataFrame:
        v = pd.read_csv(DATA / "timeseries_climate" / file)[column].to_numpy(dtype=float)
        windows = np.lib.stride_tricks.sliding_window_view(v, lags + 1)
        return pd.DataFrame(windows[:, :-1]).add_prefix("lag").assign(answer=windows[:, -1])

    return table


# ---- series, pictures, movements -----------------------------------------------------------------------------------
def series(name: str) -> Callable[[], pd.DataFrame]:
    """Series of one length, class first and blanks between (text) or class last and commas (ts): each moment a column."""
    def table() -> pd.DataFrame:
        paths = sorted(p for p in (DATA / "timeseries_ucr").glob(f"{name}_*") if p.is_file())
        if ".ts" not in paths[0].name:
            x = pd.concat([pd.read_csv(p, sep=r"\s+", header=None) for p in paths])
            return named(x.iloc[:, 1:].rename(columns=lambda c: f"t{c}"), x[0].astype(int))
        rows = [line.strip().rpartition(":") for p in paths for line in lines(p) if line[:1] not in "#@" and line.strip()]
        channels = [[np.array(c.split(","), dtype=float) for c in left.split(":")] for left, _, _ in rows]
        x = np.array([np.concatenate(c) if len(c) == 1 else [f(v) for v in c for f in (np.mean, np.std)] for c in channels])
        return named(x, [word for *_, word in rows], "t")

    return table


def lines(path: Any) -> list[str]:
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def pictures(file: str, images: str, labels: str) -> Callable[[], pd.DataFrame]:
    """Small grey pictures of an npz, two by two pixels averaged where they are wider than 16."""
    def table() -> pd.DataFrame:
        got = np.load(DATA / file)
        x = got[images].astype(float)
        if x.shape[1] == 28:
            x = x.reshape(len(x), 14, 2, 14, 2).mean(axis=(2, 4))
        return named(x.reshape(len(x), -1), got[labels])

    return table


def photographs(folder: str, names: Callable[[], list[tuple[Any, str]]], colours: bool = False) -> Callable[[], pd.DataFrame]:
    """(path, class) of files of any size, as 16 x 16 grey pixels or as 3 x 16 shares of brightness by colour."""
    def table() -> pd.DataFrame:
        from PIL import Image

        x, y = [], []
        for path, label in names():
            one = Image.open(path).convert("RGB" if colours else "L")
            if colours:
                x.append(np.concatenate([np.histogram(c, 16, (0, 256))[0] for c in np.moveaxis(np.asarray(one), 2, 0)]))
            else:
                x.append(np.asarray(one.resize((SIDE, SIDE)), dtype=float).ravel())
            y.append(label)
        return named(np.array(x), y)

    return table


def satellite() -> list[tuple[Any, str]]:
    return [(p, p.parent.name) for p in sorted((DATA / "images_satellite").glob("*/*")) if p.suffix in (".jpg", ".png", ".tif")]


def lungs() -> list[tuple[Any, str]]:
    folder = DATA / "images_covid_confound"
    return [(next(folder.rglob(r.file)), r.label) for r in pd.read_csv(folder / "labels.csv").itertuples()]


def movements() -> pd.DataFrame:
    got = np.load(DATA / "skeletons_jhmdb/jhmdb.npz")
    clips = np.split(got["frames"].reshape(len(got["frames"]), -1), np.cumsum(got["lengths"])[:-1])
    return named(np.array([np.concatenate([c.mean(0), c.std(0)]) for c in clips]), got["action"])


def darcy() -> pd.DataFrame:
    got = np.load(DATA / "pde_darcy/darcy.npz")
    x = got["train16_a"].reshape(1000, 8, 2, 8, 2).mean(axis=(2, 4)).reshape(1000, -1)
    return pd.DataFrame(x).add_prefix("x").assign(answer=got["train16_u"].mean(axis=(1, 2)).astype(float))


# ---- formulas, molecules, graphs, cells, proteins, words -------------------------------------------------------------
def formulas(file: str, target: str, classes: bool = False) -> Callable[[], pd.DataFrame]:
    """Chemical formulas as shares of the elements."""
    def table() -> pd.DataFrame:
        t = pd.read_csv(DATA / file)
        t = t[t[target].notna()].reset_index(drop=True)
        x = pd.DataFrame([_elements(f) for f in t["formula"]]).fillna(0.0)
        x = x.div(x.sum(axis=1), axis=0)
        return named(x, t[target]) if classes else x.assign(answer=t[target].astype(float))

    return table


def _elements(formula: str, times: float = 1.0) -> dict[str, float]:
    """Counts of elements, brackets multiplied out: Ag(AuS)2 -> Ag 1, Au 2, S 2."""
    out: dict[str, float] = {}
    for bracket, element, count in re.findall(r"(?:\(((?:[^()]|\([^()]*\))*)\)|([A-Z][a-z]?))([\d.]*)", formula):
        n = times * float(count or 1)
        for name, k in (_elements(bracket, n) if bracket else {element: n}).items():
            out[name] = out.get(name, 0.0) + k
    return out


def solubility() -> pd.DataFrame:
    from rdkit import Chem, RDLogger

    RDLogger.DisableLog("rdApp.*")
    folder = DATA / "molecules_solubility_sdf"
    with gzip.open(folder / "solubility_train.sdf.gz") as file:
        made = [m for m in Chem.ForwardSDMolSupplier(file) if m is not None]
    return pd.DataFrame({"smiles": [Chem.MolToSmiles(m) for m in made], "answer": [float(m.GetProp("SOL")) for m in made]})


def graphs(name: str) -> Callable[[], pd.DataFrame]:
    """Graphs as counts of their nodes' labels, nodes and edges."""
    def table() -> pd.DataFrame:
        with zipfile.ZipFile(DATA / f"graphs_tu/{name}.zip") as box:
            part = lambda what: pd.read_csv(box.open(next(  # noqa: E731
                n for n in box.namelist() if n.endswith(f"{name}_{what}.txt"))), header=None).to_numpy()
            graph, labels, y, edges = (part(w) for w in ("graph_indicator", "node_labels", "graph_labels", "A"))
        graph = graph[:, 0] - graph.min()
        x = np.zeros((len(y), int(labels.max()) + 2))
        np.add.at(x, (graph, labels[:, 0].astype(int)), 1)
        np.add.at(x[:, -1], graph[edges[:, 0] - 1], 1)
        return named(x, y[:, 0])

    return table


def papers(name: str) -> Callable[[], pd.DataFrame]:
    """Papers of a citation graph as words they hold: the 300 commonest."""
    def table() -> pd.DataFrame:
        from scipy.sparse import csr_matrix

        got = np.load(DATA / f"graphs_planetoid/{name}.npz")
        x = csr_matrix((got["x_data"], got["x_indices"].astype(int), got["x_indptr"]), tuple(got["x_shape"]))
        known = got["y"] >= 0
        return named(_commonest(x)[known], got["y"][known])

    return table


def reviews(part: str) -> Callable[[], pd.DataFrame]:
    def table() -> pd.DataFrame:
        from scipy.sparse import csr_matrix

        got = {k: np.load(DATA / "domains_amazon/amazon_reviews.npz")[f"{part}_train_{k}"]
               for k in ("counts", "indices", "indptr", "y")}
        x = csr_matrix((got["counts"], got["indices"].astype(int), got["indptr"]), (2000, 5000))
        return named(np.log1p(_commonest(x)), got["y"])

    return table


def _commonest(x: Any, most: int = 300) -> np.ndarray:
    held = np.asarray((x > 0).sum(axis=0)).ravel()
    return x[:, np.sort(np.argsort(-held, kind="stable")[:most])].toarray().astype(float)


def mixtures() -> pd.DataFrame:
    """Mixed RNA of three cell lines: the share of one of them from the 200 genes that vary most."""
    folder = DATA / "cells_protocols"
    counts = pd.read_csv(folder / "rna_mixtures_counts.csv.gz", index_col=0).T
    cells = pd.read_csv(folder / "rna_mixtures_cells.csv", index_col=0).loc[counts.index]
    x = np.log1p(counts.div(counts.sum(axis=1), axis=0) * 1e4)
    x = x[x.var().nlargest(200).index].reset_index(drop=True)
    return x.assign(answer=cells["H2228_prop"].to_numpy(dtype=float))


def residues() -> pd.DataFrame:
    """The structure (helix, strand, coil) of the residue in the middle of 15, one of a chain."""
    folder = DATA / "protein_secondary_structure"
    chains, states = (lines(folder / f"{n}.fasta.gz")[1:8000:2] for n in ("sequences", "labels"))
    rows = [(c[k - 7:k + 8], s[k]) for c, s in zip(chains, states, strict=True) for k in [len(c) // 2] if len(c) > 30]
    return pd.DataFrame([r for r in rows if len(r[0]) == 15], columns=["sequence", "answer"])


def comments() -> pd.DataFrame:
    rows = json.loads((DATA / "weak_labels_youtube/train.json").read_text()).values()
    return pd.DataFrame({"text": [r["data"]["text"] for r in rows], "answer": [f"class {r['label']}" for r in rows]})


# ---- the two lists -------------------------------------------------------------------------------------------------


def garments() -> pd.DataFrame:
    """The first five kinds of the test pictures of fashion."""
    read = lambda part, skip: np.frombuffer(gzip.decompress(  # noqa: E731
        (DATA / f"images_fashion_mnist/t10k-{part}-ubyte.gz").read_bytes()), np.uint8, offset=skip)
    x, y = read("images-idx3", 16).reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)), read("labels-idx1", 8)
    return named(x[y < 5].reshape((y < 5).sum(), -1), y[y < 5])


def mentions() -> pd.DataFrame:
    """Sentences that name a chemical, a disease, both or none."""
    blocks = gzip.decompress((DATA / "text_entities/bc5cdr_train.tsv.gz").read_bytes()).decode().strip().split("\n\n")
    split = [[line.split("\t") for line in b.splitlines() if "\t" in line] for b in blocks]
    said = [("chemical" * any("Chemical" in t[-1] for t in b) + " disease" * any("Disease" in t[-1] for t in b)).strip()
            for b in split]
    return pd.DataFrame({"text": [" ".join(t[0] for t in b) for b in split], "answer": [s or "none" for s in said]})
