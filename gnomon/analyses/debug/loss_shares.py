"""Which share of the loss each term has: a term nobody hears, or one that drowns the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gnomon.card import Card
from gnomon.values import Finding, finding

CARD = Card(
    name="Shares of the loss terms",
    gist="The share of each named term in the training loss, early and late: one below a hundredth does nothing, one "
         "above nine tenths drowns the rest.",
    use_when="The loss has several terms: several targets, a penalty, a teacher.",
    avoid_when="The loss has one term; or terms may be negative (likelihoods), where shares mean nothing.",
    paper="Kendall, Gal & Cipolla 2018, CVPR, arXiv:1705.07115",
    survey=("P5", "P6"),
    tasks=("several",),
    needs=("steps",),
    cost="seconds",
)
SILENT, LOUD = 0.01, 0.9


def loss_shares(lines: Sequence[Mapping[str, float]], *, player: str = "fit") -> dict[str, tuple[float, float]]:
    """term -> (share in the first tenth, share in the last tenth) of the readings; {} for fewer than two terms or where
    a term is negative."""
    start = f"{player}."
    kept = [line for line in lines if any(n.startswith(start) and not n.endswith(".norm") for n in line)]
    names = list(dict.fromkeys(n for line in kept for n in line if n.startswith(start) and not n.endswith(".norm")))
    if len(names) < 2 or len(kept) < 4:
        return {}
    values = np.array([[line.get(n, 0.0) for n in names] for line in kept])
    total = values.sum(axis=1)
    if (values < 0).any() or (total <= 0).any():
        return {}
    shares, tail = values / total[:, None], max(len(kept) // 10, 1)
    early, late = shares[:tail].mean(axis=0), shares[-tail:].mean(axis=0)
    return {n.removeprefix(start): (float(a), float(b)) for n, a, b in zip(names, early, late, strict=True)}


def shares_finding(shares: Mapping[str, tuple[float, float]]) -> Finding | None:
    """DEBUG-LOSS: "note" when a term is silent or loud at the end, else "fine"; None for a loss of one term."""
    if not shares:
        return None
    late = {n: s[1] for n, s in shares.items()}
    silent, loud = [n for n, s in late.items() if s < SILENT], [n for n, s in late.items() if s > LOUD]
    values = {f"{n} {when}": s for n, both in shares.items() for when, s in zip(("early", "late"), both, strict=True)}
    helps = "What helps: weigh the terms, or study the targets apart; gnomon ablate STUDY loss:TARGET measures what one adds"
    if loud or silent:
        name = (loud or silent)[0]
        does = "the others hardly count" if loud else "it does next to nothing"
        claim = f"the term '{name}' is {late[name]:.2%} of the training loss: {does}. {helps}"
        return finding("DEBUG-LOSS", "note", claim, values=values, source="log.csv")
    claim = f"the {len(late)} loss terms share the loss between {min(late.values()):.0%} and {max(late.values()):.0%}"
    return finding("DEBUG-LOSS", "fine", claim, values=values, source="log.csv")
