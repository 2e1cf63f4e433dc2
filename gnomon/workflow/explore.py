"""`--explore`: everything that can be seen without judging a model; no sealed part, no verdict, a watermark."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from gnomon.values import plain
from gnomon.workflow._folder import FORMAT, Folder, write_json
from gnomon.workflow.ledger import Ledger
from gnomon.workflow.look import Seen
from gnomon.workflow.options import Options
from gnomon.workflow.run import peak_mb


def explore_report(folder: Folder, seen: Seen, options: Options, ledger: Ledger) -> dict[str, Any]:
    """report.json and exhibits.json of an exploratory study: data, findings, checks and map; no model, no claim."""
    from gnomon import __version__
    from gnomon.workflow._exhibit_map import map_layouts
    from gnomon.workflow.exhibits import build_exhibits

    data = seen.data
    exhibits = build_exhibits(data, seen.task, seen.parts, np.array([], dtype=np.int64), None,
                              map_points=map_layouts(data, seed=options.seed, budget=options.budget,
                                                     left=options.budget - ledger.spent()), show_rows=options.show_rows,
                              examples=options.examples, seed=options.seed)
    report = plain({
        "format": FORMAT, "version": __version__, "status": "complete", "exploratory": True,
        "data": {"paths": list(data.paths), "rows": len(data), "hash": data.read_hash, "sampled": data.sampled,
                 "columns": [{"name": n, "kind": data.kind(n), "role": data.roles[n].role,
                              "because": data.roles[n].because} for n in data.columns]},
        "task": {"name": seen.task.name, "targets": []}, "split": None, "checks": [asdict(c) for c in seen.checks],
        "findings": [asdict(f) for f in seen.findings], "candidates": [], "verdict": None, "explanations": [], "advice": [],
        "cost": {"seconds": round(ledger.spent(), 1), "budget_seconds": options.budget, "peak_mb": peak_mb()},
        "ledger": {"test_openings": 0}})
    write_json(folder / "exhibits.json", exhibits)
    write_json(folder / "report.json", report)
    return report
