"""Cues a model could read instead of the specimen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gnomon.analyses.explore._aim import aim_of
from gnomon.analyses.explore._cues import cues, goes_with
from gnomon.analyses.explore._kit import Grouping, Looked, discoveries, found, join, not_run, ran, sampled_note
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Shortcut cues before training",
    gist="Tests whether brightness, border, corners, length, GC share, molecule size or salts alone go with the target.",
    use_when="Images, sequences, texts or molecules: what is cheap to read is what a network reads first.",
    avoid_when="The cue is the biology (a swollen organ is larger): then the note may be accepted with a reason.",
    paper="Geirhos et al. 2020, Shortcut learning in deep neural networks, Nature Machine Intelligence 2:665-673",
    survey=("P1", "P8"),
    needs=("labels",),
    reads=("image", "sequence", "text", "molecule"),
    cost="seconds",
)
LEAST = 0.3  # strength (0 to 1) from which a cue is noted: a medium effect (Cohen 1988)


def shortcuts(data: Data, target: str, rows: np.ndarray, *, groups: Mapping[str, Grouping], seed: int = 0,
              seconds: float = 15.0) -> Looked:
    """VALID-SHORTCUT as a note, naming the cues by strength. Whether a model uses them only a trained model can show."""
    aim = aim_of(data, target, rows)
    names = data.of_kind("image", "sequence", "text", "molecule")
    if aim is None or len(aim) < 50 or not names:
        why = "no image, sequence, text or molecule, or fewer than 50 rows with a target of classes or numbers"
        return Looked(checks=(not_run("VALID-SHORTCUT", why),))
    full, aim = len(aim), aim.sampled(int(650 * seconds), seed, "shortcuts")
    told = {(n, cue): goes_with(v, aim) for n in names for cue, v in cues(data, n, aim.rows).items() if np.ptp(v) > 0}
    stand = discoveries(np.array([p for _, p in told.values()]))
    hits = {key: size for (key, (size, _)), keep in zip(told.items(), stand, strict=True) if keep and size >= LEAST}
    findings = []
    for name in names:
        mine = dict(sorted(((cue, s) for (n, cue), s in hits.items() if n == name), key=lambda item: -item[1]))
        if mine:
            verb = "go" if len(mine) > 1 else "goes"
            claim = f"Of '{name}', {join(mine)} alone {verb} with '{target}': a model may read that and nothing else"
            findings.append(found(data, "VALID-SHORTCUT", "note", claim + sampled_note(len(aim), full), columns=(name,),
                                  values=mine, source="Cramer's V, correlation ratio at the best of eight cuts; FDR"))
    smallest = f"a cue of strength {LEAST} on a scale of 0 to 1"
    return Looked(tuple(findings), (ran("VALID-SHORTCUT", smallest + sampled_note(len(aim), full)),))
