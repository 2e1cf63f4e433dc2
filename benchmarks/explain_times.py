"""What `gnomon explain` says it will take, against what it takes, for ten asks over sequences and images.

    python benchmarks/explain_times.py        # about 5 minutes; resumable; writes benchmarks/results/explain_times.json

Two studies, each with one small network: 1,100 sequences of dna_motif, and as many bundled images of four classes. Every ask
is told its seconds first, summed over its techniques; measured is the wall clock from then on to the end of the command,
statements over many rows, pictures and the page included. The bar: no estimate is wrong by more than a factor of 2, three
seconds that nobody minds left out.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import re
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _kit import DATA, load, measured

from gnomon import api
from gnomon.data import bundled
from gnomon.workflow._voice import Voice

ROWS, TRAINED = 1100, 60  # rows of a study (fewer would be cross-validated), and steps of its network
FACTOR, SOON = 2.0, 3.0  # how wrong an estimate may be, and seconds more that nobody minds
ASKS = {
    "dna": (["integrated_gradients"], ["occlusion"], ["deeplift", "feature_ablation"], ["kernel_shap"], ["layer_relevance"]),
    "images": (["integrated_gradients"], ["grad_cam", "smoothgrad"], ["kernel_shap"], ["occlusion"], ["extremal_perturbation"]),
}


def studied(kind: str, place: Path) -> Path:
    """The study that is asked, made where it is not there yet: a small network, trained for few steps."""
    import pandas as pd

    folder = place / f"{kind}.study"
    if (folder / "delivered.json").exists():
        return folder
    if kind == "dna":
        source, target, only = place / "dna.csv", "label", "convolution_attention"
        pd.read_csv(DATA / "dna_motif" / "dna_motif.csv").head(ROWS).to_csv(source, index=False)
    else:
        source, target, only = place / "images.npz", "label", "resnet"
        with np.load(f"{bundled.__path__[0]}/fashion.npz") as kept:
            some = np.flatnonzero(np.isin(kept["labels"], (0, 1, 5, 8)))[:ROWS]
            np.savez(source, images=kept["images"][some], labels=kept["labels"][some])
    plan = api.plan(source, target=target, out=folder, budget="20m", only=(only,))
    written = plan.read_text(encoding="utf-8")
    plan.write_text(re.sub(r"^steps = \d+", f"steps = {TRAINED}", written, flags=re.M), encoding="utf-8")
    api.run(folder)
    return folder


def asked(kind: str, techniques: list[str], place: Path) -> dict[str, Any]:
    """One ask: the rows and seconds told first, and what it took from then on."""
    told: list[tuple[float, str]] = []
    found = api.explain(studied(kind, place), techniques=techniques, seconds=120,
                        voice=Voice(say=lambda text: told.append((time.perf_counter(), text))))
    end = time.perf_counter()
    at, text = next(t for t in told if t[1].startswith("estimate"))
    rows = int(re.search(r"for (\d+) rows", text)[1])
    seconds = sum(float(s) for s in re.findall(r"\w (\d+) s\b", text.split(";")[0]))
    return {"rows": rows, "estimated_s": seconds, "measured_s": round(end - at, 1), "said": text,
            "explained": len(found["explanations"]), "not_run": len(found["not_run"])}


def wrong(row: dict[str, Any]) -> bool:
    """Whether the estimate misled: by more than a factor of 2, beyond the seconds that nobody minds."""
    more, less = max(row["measured_s"], row["estimated_s"]), min(row["measured_s"], row["estimated_s"])
    return more > FACTOR * less + SOON


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        for kind, asks in ASKS.items():
            for techniques in asks:
                row = measured("explain_times", {"study": kind, "asked": " ".join(techniques)},
                               lambda k=kind, t=techniques: asked(k, t, Path(place)))
                print(f"{kind:<7} {row['asked']:<30} {row['rows']:>4} rows  estimated {row['estimated_s']:.0f} s, "
                      f"took {row['measured_s']:.1f} s", flush=True)
    rows = load("explain_times")["rows"]
    print(f"{sum(wrong(r) for r in rows)} of {len(rows)} estimates mislead by more than a factor of {FACTOR:g}")


if __name__ == "__main__":
    main()
