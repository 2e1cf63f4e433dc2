"""Which attribution finds what is known to decide, in the pieces and by the code that a study explains with.

    python benchmarks/attribution_truth.py [KIND ...]     # about 20 core-minutes; resumable; results/attribution_truth.json
    python benchmarks/attribution_truth.py KIND --techniques A B [--again]   # only these, where missing or refused
    python benchmarks/attribution_truth.py --table        # the ranking as the package's table (attribute/_trusted.csv)

Nine plantings a kind, of networks on molecules eighteen (benchmarks/_planting.py: rules "one", "either", "both" in three
strengths; of molecules, groups of atoms), each with a model of its own, of the kinds a study trains; 6 rows each (tables,
sequences, texts: 12) whose prediction flips without the cue (under "both" without either of the two). A technique's signed
scores of a row's pieces are compared with the truth: AUROC and AUPRC, mean over a planting's rows, then over plantings with
a 95 % t interval. The technique best on the even plantings is scored on the odd ones; the goal is 0.95 a kind. Real masks
(nuclei, vessels) are reported without a bar: nothing was planted there, and a model may rightly look elsewhere.
  image, sequence, text, molecule, number    networks: residual, convolution with attention (both strands), messages, layers
  molecule forest, number forest             the same plantings, for estimators on features
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import _plantings as plant
import numpy as np
import torch
from _kit import load, measured, save
from _planted_texts import text
from _real_masks import masks
from sklearn.metrics import average_precision_score, roc_auc_score

from gnomon.analyses.attribute import _trusted, occlusion
from gnomon.analyses.attribute._attempts import by_atoms, by_features
from gnomon.analyses.attribute._case import Case
from gnomon.analyses.attribute._intervals import mean_over_units
from gnomon.analyses.attribute._perturbing import PIECEWISE
from gnomon.analyses.attribute._redrawing import by_redrawing
from gnomon.analyses.attribute._techniques import OF_NETWORKS, TECHNIQUES, attributed
from gnomon.errors import InputError

GOAL, ROWS = 0.95, 6
OWN = ("tree_shap", "linear_attribution", "additive_terms")

KINDS: dict[str, tuple[Callable[[int], plant.Planting], int]] = {
    "number": (lambda n: plant.table(n, ROWS, net=True), plant.PLANTINGS),
    "number forest": (lambda n: plant.table(n, ROWS, net=False), plant.PLANTINGS),
    "sequence": (lambda n: plant.sequence(n, 2 * ROWS), plant.PLANTINGS),
    "image": (lambda n: plant.image(n, ROWS), plant.PLANTINGS),
    "molecule forest": (lambda n: plant.molecule(n, ROWS, graph=False), plant.PLANTINGS),
    "molecule": (lambda n: plant.molecule(n, ROWS, graph=True), len(plant.GROUPS)),
    "text": (lambda n: text(n, 2 * ROWS), plant.PLANTINGS),
    "nuclei": (partial(masks, "nuclei", rows=2 * ROWS), 2),
    "vessels": (partial(masks, "vessels", rows=2 * ROWS), 2),
}
REAL = ("nuclei", "vessels")


def scores_of(case: Case, name: str) -> list[np.ndarray] | str:
    """What a study would have scored: one signed array a row over the ground's pieces; or why not."""
    ground = case.ground()
    if name in OF_NETWORKS:
        return attributed(case, case.learned, ground, name).scores if case.is_network else "no network"
    if name in PIECEWISE:
        return PIECEWISE[name](ground)
    if name == "occlusion":
        return occlusion.of_pieces(ground)
    if name == "prediction_difference":
        found: Any = by_redrawing(case, technique=name)
    elif not case.is_fitted:
        return "no estimator"
    elif any(case.data.kind(c) == "molecule" for c in case.data.inputs):
        found = by_atoms(case, technique=name) if name == "tree_shap" else "not this model's way"
    else:
        found = by_features(case, False, technique=name) if name == "tree_shap" else "not this model's way"
    return found if isinstance(found, str) else "nothing to rank" if found is None else found.scores


def told(planting: plant.Planting, name: str) -> dict[str, Any]:
    """One technique on one planting: mean AUROC and AUPRC of its rows."""
    start = time.process_time()
    try:
        scores = scores_of(planting.case, name)
    except InputError as error:
        scores = error.message
    if isinstance(scores, str):
        return {"refused": scores[:120]}
    seconds = (time.process_time() - start) / len(scores)
    pairs = [(t[np.isfinite(t)], s[np.isfinite(t)]) for t, s in zip(planting.truth, scores, strict=True)]
    pairs = [(t, s) for t, s in pairs if 0 < t.mean() < 1]
    return {"auroc": float(np.mean([roc_auc_score(t, s) for t, s in pairs])),
            "auprc": float(np.mean([average_precision_score(t, s) for t, s in pairs])),
            "by_chance": float(np.mean([t.mean() for t, _ in pairs])), "seconds_a_row": seconds}


def planted(kind: str, number: int) -> dict[str, Any]:
    """Every technique on one planting."""
    made = KINDS[kind][0](number)
    if not len(made.truth):
        return {"model": round(made.accuracy, 3), "flips": made.flipped, "techniques": {}}
    names = [n for n in TECHNIQUES if kind not in REAL or n in OF_NETWORKS or n in ("occlusion", "lime", "kernel_shap")]
    found = {name: rounded(told(made, name)) for name in names}
    flips = None if made.flipped != made.flipped else round(made.flipped, 3)
    return {"model": round(made.accuracy, 3), "flips": flips, "rows": len(made.case.rows), "techniques": found}


def added(kind: str, number: int, names: list[str], again: bool) -> None:
    """These techniques on a planting that is in the results, where they are missing there or were refused (again: anyhow):
    its model is trained again, and has to be as right as it was."""
    row = next((r for r in load("attribution_truth")["rows"] if (r["kind"], r["planting"]) == (kind, number)), None)
    names = [n for n in names if row and row["techniques"] and (again or "auroc" not in row["techniques"].get(n, {}))]
    if not names:
        return
    made = KINDS[kind][0](number)
    if round(made.accuracy, 3) != row["model"]:
        raise SystemExit(f"{kind} {number}: the model is right on {made.accuracy:.3f}, and was on {row['model']}: remove the "
                         "row and measure all techniques")
    found = {name: rounded(told(made, name)) for name in names}
    whole = load("attribution_truth")
    next(r for r in whole["rows"] if (r["kind"], r["planting"]) == (kind, number))["techniques"].update(found)
    save("attribution_truth", whole)
    print(f"{kind:<16} {number} " + ", ".join(f"{n} {v.get('auroc', v.get('refused'))}" for n, v in found.items()), flush=True)


def rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in values.items()}


def ranking(rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The techniques that apply to every planting of a kind, best mean AUROC first (ties: the quicker)."""
    mine = sorted((r for r in rows if r["kind"] == kind and r["techniques"]), key=lambda r: r["planting"])
    out = []
    for name in dict.fromkeys(n for r in mine for n in r["techniques"]):
        each = [r["techniques"].get(name, {}) for r in mine]
        if not all("auroc" in e for e in each) or not mine:
            continue
        units = np.arange(len(each))
        auroc, auprc = ([None if v is None else round(float(v), 4) for v in mean_over_units(
            np.array([e[what] for e in each]), units)] for what in ("auroc", "auprc"))
        out.append({"technique": name, "auroc": auroc, "auprc": auprc, "plantings": len(each),
                    "each": [e["auroc"] for e in each],
                    "seconds_a_row": round(float(np.mean([e["seconds_a_row"] for e in each])), 4)})
    return sorted(out, key=lambda e: (-e["auroc"][0], e["seconds_a_row"]))


def chosen(ranked: list[dict[str, Any]], kind: str) -> Iterator[str]:
    """The technique best on the even plantings, and what it reaches on the odd ones."""
    best = max(ranked, key=lambda e: (np.mean(e["each"][::2]), -e["seconds_a_row"]))
    odd = np.array(best["each"][1::2])
    value, low, high = mean_over_units(odd, np.arange(len(odd)))
    yield (f"{kind}: {best['technique']} chosen on the even plantings reaches AUROC {value:.3f} [{low:.3f}, {high:.3f}] on the "
           f"odd; goal {GOAL}: {'reached' if value >= GOAL else 'missed'}")


def table(rows: list[dict[str, Any]]) -> str:
    """What the package keeps, as CSV: the ranking, with its figures, of each kind whose plantings are all measured."""
    lines, made = [",".join(_trusted.COLUMNS)], [r["kind"] for r in rows]
    for kind in (k for k in KINDS if k not in REAL and made.count(k) == KINDS[k][1]):
        for place, e in enumerate(ranking(rows, kind), 1):
            lines.append(",".join(map(str, (kind, place, e["technique"], *e["auroc"], e["auprc"][0], e["plantings"],
                                            e["seconds_a_row"]))))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--techniques", nargs="+", default=[], choices=list(TECHNIQUES), metavar="TECHNIQUE",
                        help="measure only these, on plantings that are in the results already")
    parser.add_argument("--again", action="store_true", help="measure --techniques also where they have been measured")
    parser.add_argument("--table", action="store_true", help="write the package's table from the results and stop")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.table:
        _trusted.TABLE.write_text(table(load("attribution_truth")["rows"]), encoding="utf-8")
        return
    for kind in args.kinds:
        for number in range(KINDS[kind][1]):
            if args.techniques:
                added(kind, number, args.techniques, args.again)
                continue
            row = measured("attribution_truth", {"kind": kind, "planting": number}, partial(planted, kind, number))
            print(f"{kind:<16} {number} model {row['model']:.2f}, cue removal flips {row['flips']}, {row['took_s']} s",
                  flush=True)
        ranked = ranking(load("attribution_truth")["rows"], kind)
        for e in ranked:
            print(f"{kind:<16} {e['technique']:<22} AUROC {e['auroc'][0]:.3f} {e['auroc'][1:]} AUPRC {e['auprc'][0]:.3f} "
                  f"{e['seconds_a_row']:.3f} s a row", flush=True)
        if kind not in REAL and ranked:
            print("\n".join(chosen(ranked, kind)), flush=True)


if __name__ == "__main__":
    main()
