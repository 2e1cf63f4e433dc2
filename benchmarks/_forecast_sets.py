"""The data sets of the forecast benchmark: a table (_forecast_tables.py), its target and its inputs each.

SEEN were forecast before and shaped the method; the others (`fresh`) were added after it was fixed, and are what its claim
rests on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from _forecast_tables import (
    comments,
    csv,
    darcy,
    formulas,
    garments,
    graphs,
    lagged,
    last_column,
    lungs,
    mentions,
    mixtures,
    movements,
    papers,
    photographs,
    pictures,
    residues,
    reviews,
    rosmap,
    satellite,
    series,
    sklearn_table,
    solubility,
)
from _kit import DATA

CHEMBL = "molecules_chembl_multitask"
LOOKED_AT = ("intents", "abstracts", "papers_cora", "papers_citeseer", "series_JapaneseVowels", "usps", "lungs", "residues")


@dataclass(frozen=True)
class Set:
    """A table, its target and its inputs; metric: what to score by, None for the task's own; fresh: not looked at while the
    method was made."""

    table: Callable[[], pd.DataFrame]
    target: str
    inputs: tuple[str, ...] = ()  # () = all others
    view: str = "standard"
    fresh: bool = False
    metric: str | None = None


def sets() -> dict[str, Set]:
    """Name -> data set: those seen first, then the fresh ones."""
    return {**_seen(), **_fresh()}


def class_sets() -> dict[str, Set]:
    """Name -> data set for forecasts of one class: the above, and new ones. Of several classes, the above were looked at when
    a class's share was taken out of its curve."""
    return {**{n: replace(s, fresh=s.fresh and n not in LOOKED_AT) for n, s in sets().items()}, **_decided()}


# ---- tables --------------------------------------------------------------------------------------------------------


def _seen() -> dict[str, Set]:
    from _sets import _enhancers

    out = {name: Set(csv(f"tables_uci/{name}.csv"), last_column(f"tables_uci/{name}.csv"))
           for name in ("yacht", "wine_quality_red")}
    out |= {"concrete": Set(csv("tables_uci/concrete.csv"), "strength_MPa"),
            "energy": Set(csv("tables_uci/energy.csv"), "heating_load")}
    out |= {f"sklearn_{n}": Set(sklearn_table(n), "answer") for n in ("diabetes", "breast_cancer", "wine")}
    out |= {f"rosmap_{part}": Set(rosmap(part), "answer") for part in ("mrna", "methylation", "mirna")}
    out |= {f"series_{n}": Set(series(n), "answer") for n in ("ECG200", "Plane", "SyntheticControl")}
    out["telescope"] = Set(csv("tables_magic_telescope/train.csv.gz"), "class")
    out["pm25"] = Set(csv("timeseries_beijing_pm25/beijing_pm25.csv.gz"), "pm2.5", ("month", "hour", "DEWP", "TEMP", "PRES",
                                                                                   "cbwd", "Iws"))
    out["silver"] = Set(csv("bayesopt_pools/silver_nanoparticles.csv"), "loss")
    out["barrel"] = Set(csv("bayesopt_pools/crossed_barrel.csv"), "toughness")
    out["buchwald"] = Set(csv("reactions_buchwald/buchwald_hartwig.csv.gz"), "yield_percent",
                          ("ligand", "additive", "base", "aryl_halide"), "descriptors")
    for name, folder, target in (("esol", "esol", "measured log solubility in mols per litre"),
                                 ("lipophilicity", "lipophilicity", "exp"), ("bace", "bace", "Class"),
                                 ("bace_pic50", "bace", "pIC50"), ("malaria", "malaria", "activity"),
                                 ("solar", "solar_cells", "PCE")):
        file = next(iter(sorted((DATA / f"molecules_{folder}").glob("*.csv*")))).relative_to(DATA)
        out[name] = Set(csv(str(file)), target, ("smiles",), "descriptors")
    chembl = next((DATA / CHEMBL).glob("*.csv*"))
    table = pd.read_csv(chembl)
    for target in [c for c in table.columns if c not in ("smiles", "split", "year") and table[c].dtype.kind == "f"][:8]:
        out[f"chembl_{target}"] = Set(csv(f"{CHEMBL}/{chembl.name}"), target, ("smiles",), "descriptors")
    out["gb1"] = Set(csv("protein_gb1/gb1.csv.gz"), "target", ("sequence",), "onehot")
    out["peptides"] = Set(csv("peptides_antimicrobial/peptides.csv"), "antimicrobial", ("sequence",), "kmers+composition")
    out["enhancers"] = Set(_enhancers, "label", ("sequence",), "kmers")
    return out


def _fresh() -> dict[str, Set]:
    from _sets import _abstracts, _intents

    new = lambda table, target="answer", inputs=(), view="standard": Set(table, target, inputs, view, True)  # noqa: E731
    out = {"motif": new(csv("dna_motif/dna_motif.csv"), "label", ("sequence",), "kmers"),
           "crispr": new(csv("crispr_azimuth/azimuth.csv"), "score_drug_gene_rank", ("30mer",), "onehot"),
           "avgfp": new(csv("protein_dms/avgfp.csv.gz"), "score", ("variant",)),
           "pab1": new(csv("protein_dms/pab1.csv.gz"), "score", ("variant",)),
           "intents": new(_intents, "label", ("text",), "tfidf"),
           "abstracts": new(_abstracts, "label", ("sentence",), "tfidf"),
           "comments": new(comments, "answer", ("text",), "tfidf"),
           "digits": new(sklearn_table("digits")),
           "steels": new(formulas("materials_matbench/steels_yield.csv", "target")),
           "band_gap": new(formulas("materials_matbench/expt_gap.csv", "target")),
           "is_metal": new(formulas("materials_matbench/expt_is_metal.csv", "target", True))}
    for name in ("aflow_bulk_modulus_vrh", "aflow_debye_temperature", "aflow_thermal_conductivity_300K", "mp_bulk_modulus",
                 "mp_shear_modulus"):
        out[name] = new(formulas("materials_multitask/elastic_thermal.csv.gz", name))
    out["solubility"] = new(solubility, "answer", ("smiles",), "descriptors")
    out |= {f"graphs_{n}": new(graphs(n)) for n in ("MUTAG", "PROTEINS", "PTC_MR")}
    out |= {f"papers_{n}": new(papers(n)) for n in ("cora", "citeseer")}
    out |= {f"series_{n}": new(series(n)) for n in ("GunPoint", "ArrowHead", "JapaneseVowels")}
    out |= {f"reviews_{n}": new(reviews(n)) for n in ("books", "dvd", "electronics", "kitchen")}
    out |= {"pneumonia": new(pictures("images_pneumonia/pneumoniamnist.npz", "train_images", "train_labels")),
            "mnist": new(pictures("images_digits/mnist_usps.npz", "mnist5k_images", "mnist5k_labels")),
            "usps": new(pictures("images_digits/mnist_usps.npz", "usps_train_images", "usps_train_labels")),
            "satellite": new(photographs("images_satellite", satellite, True)),
            "lungs": new(photographs("images_covid_confound", lungs))}
    out |= {"movements": new(movements), "mixtures": new(mixtures), "darcy": new(darcy),
            "residues": new(residues, "answer", ("sequence",), "onehot"),
            "temperature": new(lagged("daily_min_temperature.csv", "Temp")),
            "sunspots": new(lagged("sunspots_monthly.csv", "Sunspots"))}
    return out


TWO_CLASSES = ("graphs_PROTEINS", "graphs_PTC_MR", "series_ECG200", "sklearn_breast_cancer", "telescope", "pneumonia",
               "reviews_books", "reviews_dvd", "reviews_electronics", "reviews_kitchen", "is_metal", "peptides", "comments",
               "series_GunPoint", "rosmap_mrna", "rosmap_methylation", "rosmap_mirna", "bace")


def _decided() -> dict[str, Set]:
    """Sets on which no forecast of a class in accuracy or macro-F1 was seen: two classes scored by accuracy, new tables of
    several classes, and numbers as grades of uneven shares."""
    out = {}
    for name in ("concrete", "energy", "wine_quality_red", "pm25", "temperature", "sunspots", "mp_bulk_modulus", "steels",
                 "band_gap", "solar", "malaria"):
        one = sets()[name]
        out[f"{name}, grades"] = replace(one, table=grades(one), target="grade", fresh=True)
    out["garments"] = Set(garments, "answer", fresh=True)
    out["mentions"] = Set(mentions, "answer", ("text",), "tfidf", True)
    for name in TWO_CLASSES:
        out[f"{name}, accuracy"] = replace(sets()[name], metric="accuracy", fresh=True)
    return out


def grades(one: Set) -> Callable[[], pd.DataFrame]:
    """A number as three grades that hold 15, 30 and 55 % of the rows, the highest the rarest."""
    def table() -> pd.DataFrame:
        frame = one.table()
        frame = frame[frame[one.target].notna()]
        place = frame[one.target].rank(pct=True, method="average")
        words = np.array(["low", "middle", "high"])[np.searchsorted([0.55, 0.85], place)]
        return frame.drop(columns=one.target).assign(grade=words)

    return table
