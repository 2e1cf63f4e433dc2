"""gnomon against each field's own simple model (and published figures) on real data, same splits, 120 s budgets.

    python benchmarks/accuracy.py [--splits 5] [--budget 120] [SET ...]

Writes results/accuracy.json (resumable) and prints the table. Random splits: default_rng(seed).permutation(n), the last
tenth tests; gnomon may use the first nine tenths as it likes, and so may its rivals.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _kit import DATA, load, measured, paired_upper

ESOL_TARGET = "measured log solubility in mols per litre"


@dataclass(frozen=True)
class Set:
    """A data set: its paths, target, metric, and the splits as lists of rows."""

    paths: tuple[str, ...]
    target: str | None
    metric: str
    splits: Callable[[int], dict[str, list[int]] | None]  # split number -> row lists; None = the words in `words`
    rival: str = ""  # name of the simple model that must not be beaten, as in candidates' labels
    published: str = ""
    words: tuple[str, ...] = ()
    count: int = 5
    higher: bool = True
    extra: dict[str, Any] = field(default_factory=dict)


def rows_in(path: str) -> int:
    with (gzip.open if path.endswith(".gz") else open)(DATA / path, "rt", encoding="utf-8") as file:
        return sum(1 for _ in file) - 1


def shuffled(n: int) -> Callable[[int], dict[str, list[int]]]:
    def split(seed: int) -> dict[str, list[int]]:
        order = np.random.default_rng(seed).permutation(n)
        cut = int(0.9 * n)
        return {"train": order[:cut].tolist(), "test": order[cut:].tolist()}

    return split


def uci(name: str) -> Callable[[int], dict[str, list[int]]]:
    lists = json.loads((DATA / "tables_uci/test_rows.json").read_text())[name]

    def split(k: int) -> dict[str, list[int]]:
        n = rows_in(f"tables_uci/{name}.csv")
        return {"train": sorted(set(range(n)) - set(lists[k])), "test": lists[k]}

    return split


def scaffolds(path: str, column: str) -> Callable[[int], dict[str, list[int]]]:
    """Whole Murcko scaffolds, dealt at random: a tenth of the molecules tests."""

    def split(seed: int) -> dict[str, list[int]]:
        import pandas as pd
        from rdkit import Chem, RDLogger
        from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

        RDLogger.DisableLog("rdApp.*")
        smiles = pd.read_csv(DATA / path)[column]
        families: dict[str, list[int]] = {}
        for i, s in enumerate(smiles):
            mol = Chem.MolFromSmiles(s)
            key = MurckoScaffoldSmiles(mol=mol) if mol is not None else ""
            families.setdefault(key or f"none {i}", []).append(i)
        names = sorted(families)
        test: list[int] = []
        for k in np.random.default_rng(seed).permutation(len(names)):
            if len(test) + len(families[names[k]]) <= len(smiles) / 10:
                test += families[names[k]]
        return {"train": sorted(set(range(len(smiles))) - set(test)), "test": sorted(test)}

    return split


def lines(train: str, test: str, header: int) -> Callable[[int], dict[str, list[int]]]:
    """Two files read one after the other, each with so many header lines."""

    def split(_: int) -> dict[str, list[int]]:
        a, b = rows_in(train) + 1 - header, rows_in(test) + 1 - header
        return {"train": list(range(a)), "test": list(range(a, a + b))}

    return split


def column(name: str) -> Callable[[int], dict[str, list[int]]]:
    """The train/test column of GB1; its `validation` rows train too, for gnomon makes its own."""

    def split(_: int) -> dict[str, list[int]]:
        import pandas as pd

        words = pd.read_csv(DATA / "protein_gb1/gb1.csv.gz")[name].astype(str)
        test = words.str.startswith("test")
        return {"train": np.flatnonzero(words.str.startswith("train")).tolist(), "test": np.flatnonzero(test).tolist()}

    return split


def sets() -> dict[str, Set]:
    esol = ("--exclude", "ESOL predicted log solubility in mols per litre")
    bace = ("--exclude", "pIC50", "published_split")
    return {
        "esol_random": Set(
            ("molecules_esol/esol.csv",),
            ESOL_TARGET,
            "rmse",
            shuffled(1128),
            "forest on morgan",
            "chemprop 0.63 on one split (measured elsewhere)",
            esol,
            higher=False,
        ),
        "esol_scaffold": Set(
            ("molecules_esol/esol.csv",),
            ESOL_TARGET,
            "rmse",
            scaffolds("molecules_esol/esol.csv", "smiles"),
            "forest on morgan",
            "",
            esol,
            higher=False,
        ),
        "bace_random": Set(("molecules_bace/bace.csv",), "Class", "roc_auc", shuffled(1513), "forest on morgan", "", bace),
        "bace_scaffold": Set(
            ("molecules_bace/bace.csv",),
            "Class",
            "roc_auc",
            scaffolds("molecules_bace/bace.csv", "mol"),
            "forest on morgan",
            "",
            bace,
        ),
        "concrete": Set(
            ("tables_uci/concrete.csv",),
            "strength_MPa",
            "rmse",
            uci("concrete"),
            "forest",
            "MC dropout 5.23 (from memory)",
            higher=False,
        ),
        "energy": Set(
            ("tables_uci/energy.csv",),
            "heating_load",
            "rmse",
            uci("energy"),
            "forest",
            "MC dropout 1.66 (from memory)",
            higher=False,
        ),
        "yacht": Set(
            ("tables_uci/yacht.csv",),
            "residuary_resistance",
            "rmse",
            uci("yacht"),
            "forest",
            "MC dropout 1.11 (from memory)",
            higher=False,
        ),
        "magic": Set(
            ("tables_magic_telescope/train.csv.gz", "tables_magic_telescope/test.csv.gz"),
            "class",
            "roc_auc",
            lines("tables_magic_telescope/train.csv.gz", "tables_magic_telescope/test.csv.gz", 1),
            "boosting",
            "boosting .938 (measured)",
            count=1,
        ),
        "enhancers": Set(
            (
                "dna_enhancers/train_enhancer.fasta",
                "dna_enhancers/train_other.fasta",
                "dna_enhancers/test_enhancer.fasta",
                "dna_enhancers/test_other.fasta",
            ),
            None,
            "accuracy",
            lambda k: None,
            "logistic on kmers",
            "iEnhancer-2L .730, BERT .756 (from memory)",
            count=1,
        ),
        "acl_arc": Set(
            ("text_citation_intent/train.jsonl", "text_citation_intent/test.jsonl"),
            "label",
            "macro_f1",
            lambda k: None,
            "logistic on tfidf",
            "SciBERT .710 (from memory)",
            count=1,
        ),
        "fashion": Set(
            ("images_fashion_mnist",), None, "accuracy", lambda k: None, "logistic", "plain CNN .886 (measured)", count=1
        ),
        "gb1_two": Set(
            ("protein_gb1/gb1.csv.gz",),
            None,
            "spearman",
            column("set_two_vs_rest"),
            "ridge on onehot",
            "ridge .594 (measured), CNN .32 (from memory)",
            count=1,
        ),
        "gb1_three": Set(
            ("protein_gb1/gb1.csv.gz",),
            None,
            "spearman",
            column("set_three_vs_rest"),
            "ridge on onehot",
            "ridge .755 (measured), CNN .83 (from memory)",
            count=1,
        ),
        "gb1_sampled": Set(
            ("protein_gb1/gb1.csv.gz",),
            None,
            "spearman",
            column("set_sampled"),
            "ridge on onehot",
            "boosting .899 (measured), CNN .91 (from memory)",
            count=1,
        ),
        "wine": Set(
            ("tables_uci/wine_quality_red.csv",),
            "quality",
            "rmse",
            uci("wine_quality_red"),
            "forest",
            "MC dropout 0.62 (from memory)",
            higher=False,
        ),
    }


def study(one: Set, split: int, budget: int) -> dict[str, Any]:
    """One study in a process of its own: test score of what it recommends, and of the rival."""
    with tempfile.TemporaryDirectory() as scratch:
        words = [
            sys.executable,
            "-m",
            "gnomon",
            "study",
            *(str(DATA / p) for p in one.paths),
            "--budget",
            f"{budget}s",
            "--out",
            f"{scratch}/s.study",
            "--metric",
            one.metric,
            *one.words,
        ]
        if one.target:
            words += ["--target", one.target]
        lists = one.splits(split)
        if lists is not None:
            (Path(scratch) / "rows.json").write_text(json.dumps(lists))
            words += ["--split", f"rows:{scratch}/rows.json", "--because", "the benchmark's split"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            return {"failed": done.stderr[-800:]}
        return read_report(Path(scratch) / "s.study", one)


def read_report(folder: Path, one: Set) -> dict[str, Any]:
    report = json.loads((folder / "report.json").read_text())
    verdict = report["verdict"]
    by = {c["recipe"]["hash"]: c for c in report["candidates"]}
    told = by.get(verdict["recommended"] or verdict["chosen_on_validation"])
    rival = next((c for c in report["candidates"] if c["label"] == one.rival), None)
    return {
        "score": told["test"]["value"] if told and told["test"] else None,
        "recommended": told["label"] if told else None,
        "outcome": verdict["outcome"],
        "chosen": by[verdict["chosen_on_validation"]]["label"],
        "chosen_score": (by[verdict["chosen_on_validation"]]["test"] or {}).get("value"),
        "rival_score": all_tests(folder).get(rival["recipe"]["hash"]) if rival else None,
        "tests": all_tests(folder),
        "labels": {h: c["label"] for h, c in by.items()},
        "seconds": report["cost"]["seconds"],
    }


def all_tests(folder: Path) -> dict[str, float]:
    """Test scores of every candidate, computed here, outside the study, for the bench only."""
    from gnomon.data.read.dispatch import read_data
    from gnomon.workflow._folder import Folder, read_json
    from gnomon.workflow._plan_file import read_plan, roles_of
    from gnomon.methods._network import task_from
    from gnomon.workflow.run import deliver

    import pyarrow.parquet as pq

    made, versions = read_json(folder / "delivered.json"), read_json(folder / "versions.json")
    roles = roles_of(read_plan(folder / "plan.toml"), folder / "plan.toml")
    sources = [str((folder / p).resolve()) for p in versions["source"]]
    target = tuple(n for n, r in roles.items() if r == "target")
    data = read_data(
        sources[0] if len(sources) == 1 else sources,
        target=target,
        kinds=versions["options"]["kinds"],
        roles={n: r for n, r in roles.items() if r != "target"},
    )
    test = np.flatnonzero(pq.read_table(folder / "split.parquet")["test"].to_numpy())
    task = task_from(made["task"])
    truth = task.truth(data, test)
    return {
        h: task.score(task.measure(deliver(Folder(folder).path, members).predict(data, test), truth))
        for h, members in made["candidates"].items()
        if members
    }


def table(budget: int) -> None:
    """Per set: gnomon, the rival, the best candidate by hindsight, and the paired upper limit of the shortfall."""
    rows = [r for r in load("accuracy")["rows"] if r["budget"] == budget and "score" in r]
    print(f"{'set':<16}{'splits':>7}{'gnomon':>9}{'chosen':>9}{'rival':>9}{'worse by':>10}{'upper':>9}{'3 %':>8}  rival")
    for name, one in sets().items():
        mine = [r for r in rows if r["set"] == name and r["score"] is not None and r["rival_score"] is not None]
        if not mine:
            continue
        ours, theirs = [r["score"] for r in mine], [r["rival_score"] for r in mine]
        gap, upper = paired_upper(ours, theirs, one.higher)
        print(
            f"{name:<16}{len(mine):>7}{np.mean(ours):>9.3f}{np.mean([r['chosen_score'] for r in mine]):>9.3f}"
            f"{np.mean(theirs):>9.3f}{gap:>10.3f}{upper:>9.3f}{0.03 * abs(np.mean(theirs)):>8.3f}  {one.rival}; {one.published}"
        )


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("sets", nargs="*")
    words.add_argument("--splits", type=int, default=5)
    words.add_argument("--budget", type=int, default=120)
    args = words.parse_args()
    everything = sets()
    for split in range(args.splits):
        for name in args.sets or everything:
            one = everything[name]
            if split < one.count:
                key = {"set": name, "split": split, "budget": args.budget}
                row = measured("accuracy", key, lambda one=one, split=split: study(one, split, args.budget))
                print(
                    name,
                    split,
                    row.get("score"),
                    row.get("recommended"),
                    row.get("rival_score"),
                    row.get("failed", "")[-200:],
                    flush=True,
                )
    table(args.budget)


if __name__ == "__main__":
    main()
