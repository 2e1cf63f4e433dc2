"""Over- or underfitting: what the two loss curves of a run say, in one word, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gnomon.card import Card
from gnomon.values import Finding, finding

CARD = Card(
    name="Over- and underfitting from the loss curves",
    gist="Puts a run into one of five classes by its training and held-out losses: sound, overfit, starved (still falling), "
         "underfit (flat and high) or unsteady.",
    use_when="After every run of a deep model, and first when it does badly.",
    avoid_when="No rows were held back while training: then only the training curve speaks.",
    paper="Raghu & Schmidt 2020, arXiv:2003.11755, section 9; Prechelt 1998, Early stopping - but when?",
    survey=("P5",),
    tasks=("classify", "regress", "several"),
    needs=("steps",),
    cost="seconds",
)
RISEN = 1.1  # the middle held-out loss of the last quarter over the least mean of three in a row
GAP = 3.0  # held-out loss over training loss, where the former has risen too
LOST = 0.5  # share of what training gained on knowing nothing that held-out rows did not
UNDERFIT = 0.7  # training loss at the end over the loss of knowing nothing
STILL_FALLING = 0.9  # training loss of the last tenth over that of the tenth before
UNSTEADY = 0.5  # mean jump between neighbouring held-out losses over all they gained
NOWHERE = "other inputs, or many more rows: nothing that was learned holds elsewhere"
ADVICE = {
    "overfit": "more rows, augmentation, dropout or a smaller model; gnomon ablate tells which regularisation matters",
    "starved": "more steps: a larger --budget",
    "underfit": "a larger model, another rate or other inputs; more steps alone will not help",
    "unsteady": "a smaller rate or a larger batch",
}


@dataclass(frozen=True)
class Fitting:
    """kind: "sound", "overfit", "starved", "underfit", "unsteady" or "unknown" (too few readings); with its numbers."""

    kind: str
    train_loss: float | None = None
    naive_loss: float | None = None
    stop_loss: float | None = None
    least_stop_loss: float | None = None
    at_step: float | None = None
    jump: float | None = None
    rose: bool = False

    @property
    def nowhere(self) -> bool:
        """Held-out rows were never told better than by knowing nothing."""
        return self.least_stop_loss is not None and self.naive_loss is not None and self.least_stop_loss >= self.naive_loss


def over_under(lines: Sequence[Mapping[str, float]], naive: float) -> Fitting:
    """The class of a run whose log.csv holds these lines. naive: the training loss of knowing nothing.

    overfit: training ends below 0.7 of the naive loss, and either the held-out loss rose (the middle of its last quarter
    1.1 times its least, none of it as low) and ends 3 times above training; or half of what training gained is lost on
    held-out rows, at their least or, where the loss rose, at the end. starved or underfit: training ends above 0.7 of the
    naive loss, and is still falling or not. unsteady: none of these, and the held-out loss jumps between readings by half
    of all it gained.
    """
    train = course(lines, "fit.")
    stop = [(line["step"], line["stop.loss"]) for line in lines if "stop.loss" in line]
    if len(train) < 4:
        return Fitting("unknown")
    tenth = max(len(train) // 10, 1)
    last, before = (float(np.mean([v for _, v in part])) for part in (train[-tenth:], train[-2 * tenth:-tenth]))
    numbers: dict[str, Any] = {"train_loss": last, "naive_loss": naive}
    kind = "sound"
    if len(stop) >= 4:
        losses = np.array([v for _, v in stop])
        final, least = float(losses[-2:].mean()), int(losses.argmin())
        fall = float(max(losses[0], naive) - losses[least])
        jump = float(np.abs(np.diff(losses)).mean() / fall) if fall > 0 else None
        numbers |= {"stop_loss": final, "least_stop_loss": float(losses[least]), "at_step": float(stop[least][0]), "jump": jump}
        tail, calm = losses[-max(len(losses) // 4, 2):], np.convolve(losses, np.ones(3) / 3, "valid").min()
        rose = bool(tail.min() > losses[least] and np.median(tail) > RISEN * calm)
        lost = ((final if rose else losses[least]) - last) / max(naive - last, 1e-12)
        if last <= UNDERFIT * naive and (lost > LOST or (rose and final > GAP * last)):
            return Fitting("overfit", **numbers, rose=rose)
        if jump is not None and jump > UNSTEADY:
            kind = "unsteady"
    if last > UNDERFIT * naive:
        kind = "starved" if last < STILL_FALLING * before else "underfit"
    return Fitting(kind, **numbers)


def fitting_finding(found: Fitting) -> Finding | None:
    """DEBUG-OVERFIT or DEBUG-UNDERFIT with what to do; None for a sound run."""
    f = found
    if f.kind not in ADVICE:
        return None
    assert f.train_loss is not None and f.naive_loss is not None
    trained = f"training ended at {f.train_loss / f.naive_loss:.0%} of the loss of knowing nothing"
    if f.kind == "overfit":
        if f.nowhere:
            claim = f"{trained}, and held-out rows were never told better than by knowing nothing"
        elif f.rose:
            claim = (f"past step {f.at_step:.0f} the loss on held-out rows rose by {f.stop_loss / f.least_stop_loss - 1:.0%}; "
                     f"{trained}")
        else:
            claim = f"{trained}, held-out rows never came below {f.least_stop_loss / f.naive_loss:.0%}"
    elif f.kind == "unsteady":
        claim = f"the loss on held-out rows jumps between looks by {f.jump:.0%} of all it gained"
    else:
        claim = trained + (" and was still falling" if f.kind == "starved" else ", and had stopped falling")
    code = "DEBUG-OVERFIT" if f.kind == "overfit" else "DEBUG-UNDERFIT" if f.kind != "unsteady" else "DEBUG-RATE"
    values = {k: v for k, v in asdict(f).items() if v is not None} | {"still_falling": f.kind == "starved"}
    helps = NOWHERE if f.kind == "overfit" and f.nowhere else ADVICE[f.kind]
    return finding(code, "note", f"{claim}. What helps: {helps}", values=values, source="log.csv")


def course(lines: Sequence[Mapping[str, float]], start: str) -> list[tuple[float, float]]:
    """(step, sum of the loss terms) of every reading of one player."""
    terms = [(line["step"], [v for name, v in line.items() if name.startswith(start) and not name.endswith(".norm")])
             for line in lines]
    return [(step, sum(values)) for step, values in terms if values]
