"""Clean pools: real data sets without their own repeats, from which every planting draws a sub-sample.

Exact repeats of inputs are taken out once, of sequences all but one of those that share a quarter of their pieces (the
check calls a third near); in tables also rows equal to another in all but two columns, in molecules
all but one of those with one parent structure (RDKit), so that what is found after a planting was planted.
"""

from __future__ import annotations

import functools
import gzip
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from _data import build, column, pictures
from _kit import DATA

from gnomon.data.table import Data

MOST = 1500  # rows kept of each set
TUNED = ("concrete", "magic", "diabetes", "fashion", "pneumonia", "esol", "malaria", "enhancers", "motif", "citation")
FRESH = ("vintages", "weather", "cells", "solar", "guides", "chemicals")
KINDS = {"table": ("concrete", "magic", "diabetes", "wine", "breast", "energy", "vintages", "weather"),
         "image": ("fashion", "pneumonia", "mnist", "usps", "satellite", "cells"),
         "molecule": ("esol", "malaria", "lipophilicity", "bace", "solar"),
         "sequence": ("enhancers", "motif", "peptides", "gb1", "guides"),
         "text": ("citation", "csabstruct", "youtube", "chemicals")}


@dataclass(frozen=True)
class Pool:
    """One clean set. half: "tuned" sets may have been looked at while detectors were mended; of "held" ones, figures by
    set had been seen before some detectors were mended last; "fresh" ones were added after that, unseen."""

    name: str
    kind: str
    data: Data

    @property
    def half(self) -> str:
        return "tuned" if self.name in TUNED else "fresh" if self.name in FRESH else "held"


@functools.cache
def pool(name: str) -> Pool:
    kind = next(k for k, names in KINDS.items() if name in names)
    made = {"table": table, "image": image, "molecule": molecule, "sequence": sequence, "text": text}[kind](name)
    return Pool(name, kind, made)


def few(count: int) -> np.ndarray:
    return np.sort(np.random.default_rng(0).permutation(count)[:MOST])


def unzipped(path: str) -> bytes:
    return gzip.decompress((DATA / path).read_bytes())


def unlike(texts: np.ndarray, *, width: int, words: bool = False, share: float = 0.5) -> np.ndarray:
    """bool: one of each family of texts that share so much of their pieces (exact Jaccard, first come first kept)."""
    from sklearn.feature_extraction.text import CountVectorizer

    how = {"analyzer": "word" if words else "char", "ngram_range": (width, width)}
    pattern = {"token_pattern": r"\S+"} if words else {}
    pieces = (CountVectorizer(binary=True, **how, **pattern).fit_transform(texts) > 0).astype(np.float32)
    shared, own = (pieces @ pieces.T).toarray(), np.asarray(pieces.sum(axis=1)).ravel()
    like = shared >= share * np.maximum(own[:, None] + own[None, :] - shared, 1)
    keep = np.zeros(len(texts), dtype=bool)
    for i in range(len(texts)):
        keep[i] = not (like[i] & keep).any()
    return keep


def table(name: str) -> Data:
    import pandas as pd

    if name in ("concrete", "energy", "wine"):
        frame = pd.read_csv(DATA / f"tables_uci/{'wine_quality_red' if name == 'wine' else name}.csv")
    elif name == "magic":
        frame = pd.read_csv(DATA / "tables_magic_telescope/train.csv.gz")
    elif name == "weather":
        frame = pd.read_csv(DATA / "timeseries_beijing_pm25/beijing_pm25.csv.gz")
        frame = frame[["DEWP", "TEMP", "PRES", "Iws", "hour", "month", "pm2.5"]].dropna()
    elif name == "vintages":
        from sklearn.datasets import load_wine

        frame = load_wine(as_frame=True).frame
        frame["target"] = np.array(["first", "second", "third"])[frame["target"]]
    else:
        from sklearn.datasets import load_breast_cancer, load_diabetes

        got: Any = (load_breast_cancer if name == "breast" else load_diabetes)(as_frame=True, **(
            {} if name == "breast" else {"scaled": False}))
        frame = got.frame
        if name == "breast":
            frame["target"] = np.where(frame["target"] == 0, "malignant", "benign")
    frame = frame.rename(columns={frame.columns[-1]: "target"})
    frame = frame.iloc[few(len(frame))].reset_index(drop=True)
    inputs = frame.drop(columns="target").to_numpy(dtype=float)
    least = 1 if name == "energy" else 3  # energy is a designed grid: neighbours differ in one factor
    keep: list[int] = []
    for i, row in enumerate(inputs):
        if not keep or ((inputs[keep] != row).sum(axis=1) >= least).all():
            keep.append(i)
    frame = frame.iloc[keep]
    return build({n: column(frame[n].to_numpy()) for n in frame.columns})


def image(name: str) -> Data:
    if name == "fashion":
        x = np.frombuffer(unzipped("images_fashion_mnist/train-images-idx3-ubyte.gz"), np.uint8, offset=16)
        x = x.reshape(-1, 28, 28)
        y = np.frombuffer(unzipped("images_fashion_mnist/train-labels-idx1-ubyte.gz"), np.uint8, offset=8)
    elif name == "pneumonia":
        held = np.load(DATA / "images_pneumonia/pneumoniamnist.npz")
        x, y = held["train_images"], held["train_labels"].ravel()
    elif name == "cells":
        x, y = blood_cells()
    elif name in ("mnist", "usps"):
        held = np.load(DATA / "images_digits/mnist_usps.npz")
        x, y = ((held["mnist5k_images"], held["mnist5k_labels"]) if name == "mnist" else
                (held["usps_train_images"], held["usps_train_labels"]))
    else:
        from PIL import Image

        files = sorted((DATA / "images_satellite").glob("*/*.jpg"))
        x = np.stack([np.asarray(Image.open(f).convert("RGB").resize((48, 48))).transpose(2, 0, 1) for f in files])
        y = np.array([f.parent.name for f in files])
    rows = few(len(x))
    _, first = np.unique(x[rows].reshape(len(rows), -1), axis=0, return_index=True)
    rows = rows[np.sort(first)]
    names = tuple(f"scan/{i:05d}.png" for i in np.random.default_rng(1).permutation(len(rows)))
    return build({"image": pictures(x[rows]), "target": column(np.array([f"class {v}" for v in y[rows]]))}, items=names)


def blood_cells(side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """White cells, platelets and as many red cells as of these, cut out by their boxes and shrunk to `side` pixels."""
    import xml.etree.ElementTree as tree

    from PIL import Image

    crops, names = [], []
    for file in sorted((DATA / "images_blood_cells/voc").glob("*.xml")):
        picture = next((DATA / "images_blood_cells/images").glob(file.stem + ".*"))
        with Image.open(picture) as opened:
            whole = opened.convert("RGB")
        for thing in tree.parse(file).iter("object"):
            box = [int(float(thing.find("bndbox").find(k).text)) for k in ("xmin", "ymin", "xmax", "ymax")]
            name = thing.find("name").text
            if box[2] > box[0] + 8 and box[3] > box[1] + 8 and names.count(name) < 150:
                crops.append(np.asarray(whole.crop(box).resize((side, side))).transpose(2, 0, 1))
                names.append(name)
    return np.stack(crops), np.array(names)


def molecule(name: str) -> Data:
    import pandas as pd
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    file, smiles, target = {"esol": ("molecules_esol/esol.csv", "smiles", "measured log solubility in mols per litre"),
                            "malaria": ("molecules_malaria/malaria.csv.gz", "smiles", "activity"),
                            "lipophilicity": ("molecules_lipophilicity/lipophilicity.csv", "smiles", "exp"),
                            "solar": ("molecules_solar_cells/cep.csv.gz", "smiles", "PCE"),
                            "bace": ("molecules_bace/bace.csv", "smiles", "Class")}[name]
    frame = pd.read_csv(DATA / file)
    frame = frame.iloc[few(len(frame))]
    with BlockLogs():
        read = [Chem.MolFromSmiles(s.strip()) for s in frame[smiles]]
        parent = [max(Chem.MolToSmiles(m, isomericSmiles=False).split("."), key=len) if m else "" for m in read]
    keep = ~pd.Series(parent).duplicated().to_numpy() & np.array([p != "" for p in parent])
    y = frame[target].to_numpy()[keep]
    y = np.array(["active" if v else "inactive" for v in y]) if name == "bace" else y
    return build({"smiles": column(frame[smiles].str.strip().to_numpy()[keep], "molecule"), "target": column(y)})


def sequence(name: str) -> Data:
    import pandas as pd

    detail = "protein" if name in ("peptides", "gb1") else "DNA"
    if name == "enhancers":
        rows = [(line.strip().upper(), label) for label in ("enhancer", "other")
                for line in (DATA / f"dna_enhancers/train_{label}.fasta").read_text().split() if not line.startswith(">")]
        x, y = np.array([r[0] for r in rows], dtype=object), np.array([r[1] for r in rows])
    else:
        file, target = {"motif": ("dna_motif/dna_motif.csv", "label"), "gb1": ("protein_gb1/gb1.csv.gz", "target"),
                        "guides": ("crispr_azimuth/azimuth.csv", "score_drug_gene_rank"),
                        "peptides": ("peptides_antimicrobial/peptides.csv", "antimicrobial")}[name]
        frame = pd.read_csv(DATA / file).rename(columns={"30mer": "sequence"})
        x = frame["sequence"].to_numpy(dtype=object)
        y = frame[target].to_numpy() if name in ("gb1", "guides") else np.where(frame[target].to_numpy() == 1, "yes", "no")
    rows = few(len(x))
    x, y = x[rows], y[rows]
    keep = ~pd.Series(x).duplicated().to_numpy()
    if name != "gb1":  # a library of variants of one parent stays one
        keep &= unlike(x, width=3 if detail == "protein" else 6, share=0.25)
    return build({"sequence": column(x[keep], "sequence", detail), "target": column(y[keep])})


def text(name: str) -> Data:
    import pandas as pd

    if name == "citation":
        rows = [json.loads(line) for line in (DATA / "text_citation_intent/train.jsonl").read_text().splitlines()]
        pairs = [(r["text"], r["label"]) for r in rows]
    elif name == "chemicals":  # sentences that name a chemical, or none
        blocks = unzipped("text_entities/bc5cdr_train.tsv.gz").decode().strip().split("\n\n")
        split = [[line.split("\t") for line in b.splitlines() if "\t" in line] for b in blocks]
        pairs = [(" ".join(p[0] for p in b), "named" if any("Chemical" in p[-1] for p in b) else "none")
                 for b in split if len(b) > 5]
    elif name == "csabstruct":
        rows = [json.loads(line) for line in unzipped("text_csabstruct/train.jsonl.gz").decode().splitlines()]
        pairs = [(s, v) for r in rows for s, v in zip(r["sentences"], r["labels"], strict=False)]
    else:
        held = json.loads((DATA / "weak_labels_youtube/train.json").read_text())
        pairs = [(r["data"]["text"], ("ham", "spam")[r["label"]]) for r in held.values()]
    pairs = [pairs[i] for i in few(len(pairs))]
    counts = pd.Series([p[1] for p in pairs]).value_counts(normalize=True)
    pairs = [p for p in pairs if counts[p[1]] >= 0.08]  # rare classes are a fault of their own
    plain = np.array([" ".join(p[0].lower().split()) for p in pairs])
    keep = unlike(plain, width=3, words=True) & ~pd.Series(plain).duplicated().to_numpy()  # texts of a word or two too
    pairs = [p for p, k in zip(pairs, keep, strict=True) if k]
    return build({"text": column(np.array([p[0] for p in pairs], dtype=object), "text"),
                  "target": column(np.array([str(p[1]) for p in pairs]))})
