"""Whether being missing depends on the target."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gnomon.analyses.explore._aim import aim_of, units_of
from gnomon.analyses.explore._clusters import FEWEST, design_effect
from gnomon.analyses.explore._kit import Grouping, Looked, discoveries, found, join, not_run, ran
from gnomon.analyses.explore.confounding import tells
from gnomon.analyses.explore.missing_values import missing_code
from gnomon.card import Card
from gnomon.data.table import Data, missing

CARD = Card(
    name="Informative missingness",
    gist="Tests for each input whether its missing values go with the target.",
    use_when="Values are missing: who was measured often says more than what was measured.",
    avoid_when="The same reason for measuring holds at prediction time; then it is information, not a fault.",
    paper="Rubin 1976, Inference and missing data, Biometrika 63(3):581-592",
    survey=("P1", "P8"),
    needs=("labels",),
    cost="seconds",
)
CODE = "LOOK-MISSING-INFORMATIVE"
LEAST = 0.1  # strength (Cramer's V) below which it is passed over


def missing_informative(data: Data, target: str, rows: np.ndarray, *, groups: Mapping[str, Grouping], seed: int = 0,
                        seconds: float = 15.0) -> Looked:
    """LOOK-MISSING-INFORMATIVE naming the inputs whose gaps, or missing codes, depend on the target, by more than rows of
    one unit (`groups`) share with each other."""
    aim = aim_of(data, target, rows)
    if aim is None:
        return Looked(checks=(not_run(CODE, "the target is neither a number nor a category"),))
    aim = aim.sampled(int(20000 * seconds), seed, "gaps")
    ties, tests, few = units_of(groups, aim), {}, []
    for name in data.inputs:
        column = data.columns[name]
        if name == target or column.spec.kind == "image" or column.spec.shape:
            continue
        gone = missing(column, aim.rows)
        if column.spec.kind == "number" and (code := missing_code(column.take(aim.rows))) is not None:
            gone |= column.take(aim.rows) == code
        least = min(gone.sum(), len(gone) - gone.sum())
        if least < 10:
            continue
        if (inflation := design_effect(gone.astype(np.int64), aim.values, ties)) > 1 and least / inflation < FEWEST:
            few.append(name)
        else:
            tests[name] = tells(gone.astype(np.int64), aim, ties)
    unchecked = (not_run(CODE, f"{join(few)}: missing, or present, in fewer than {FEWEST} independent units"),) if few else ()
    if not tests:
        return Looked(checks=unchecked or (not_run(CODE, "no input has ten values missing and ten present in the training "
                                                         "rows"),))
    stand = discoveries(np.array([p for _, p in tests.values()]))
    hits = {n: s for (n, (s, _)), keep in zip(tests.items(), stand, strict=True) if keep and s >= LEAST}
    check = ran(CODE, f"a strength of {LEAST} on a scale of 0 to 1 (Cramer's V)")
    if not hits:
        return Looked(checks=(check, *unchecked))
    verb = "is" if len(hits) == 1 else "are"
    claim = f"Whether {join(hits)} {verb} missing goes with '{target}': the gaps themselves carry an answer"
    return Looked((found(data, CODE, "warn", claim, columns=tuple(hits), values=hits,
                         source="Cramer's V, correlation ratio; FDR"),), (check, *unchecked))
