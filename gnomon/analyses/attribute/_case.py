"""One learned thing, the rows to be explained, and what it takes to explain them: copies with nothing learned, time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gnomon.analyses.attribute._ground import Ground, ground_of
from gnomon.analyses.attribute._inside import relabelled, shaken
from gnomon.analyses.attribute._question import Question
from gnomon.data.table import Data

SCALAR = ("number", "category", "date")
REFITTED = 1  # copies where each must be fitted anew on text, images, molecules or sequences, which is dear
RANDOMISED = 3  # randomised copies that are explained; with few pieces a row, more (their correlations are coarse)
RANDOMISED_SCALAR = 5
ENOUGH, RELABELLED = 50, 400  # held-out rows from which on labels are dealt out anew among them; at most so many
TRIED, QUICK = (1, 2, 8, 32), 0.1  # rows that a technique is timed on before it is begun; seconds that a try always may take
TRYING = 0.05  # of the time left that a try on more than two rows may take: small networks cost by the pass, not by the row


def strongest(learned: Any) -> tuple[Any, str]:
    """Of an ensemble, the first member of the kind with the most weight (folds and seeds of one recipe count together),
    and a note saying so; anything else itself."""
    members = getattr(learned, "members", None)
    if not members:
        return learned, ""
    weight: dict[str, float] = {}
    first: dict[str, Any] = {}
    for member, share in zip(members, learned.weights, strict=True):
        kind = _kind_of(member)
        weight[kind] = weight.get(kind, 0.0) + float(share)
        first.setdefault(kind, member)
    best = max(weight, key=lambda k: weight[k])
    if len(members) == 1:
        return first[best], ""
    total = sum(weight.values())
    return first[best], f"one of {len(members)} models averaged; its kind has {weight[best] / total:.0%} of the weight"


def _kind_of(member: Any) -> str:
    """Equal for models of one recipe."""
    from gnomon.methods._fitted import Fitted

    if isinstance(member, Fitted):
        return f"{member.view.name}/{member.view.form}/{[type(e).__name__ for e in member.estimators]}"
    module = getattr(member, "module", None)
    return type(member).__name__ if module is None else f"{module}"


@dataclass(frozen=True)
class Case:
    """What every attempt needs to know."""

    learned: Any
    task: Any
    data: Data
    rows: np.ndarray
    reference: np.ndarray
    question: Question
    seed: int
    fit_again: Callable[[int], Any] | None
    end: float  # by the monotonic clock
    units: np.ndarray | None = None  # of all rows of the data
    show_rows: bool = False  # rare words may be named
    timed: dict[str, float] = field(default_factory=dict, compare=False, repr=False)  # what was measured, by name
    made: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)  # copies, made once for all techniques

    @property
    def is_fitted(self) -> bool:
        from gnomon.methods._fitted import Fitted

        return isinstance(self.learned, Fitted)

    @property
    def is_network(self) -> bool:
        from gnomon.methods._network import Network

        return isinstance(self.learned, Network)

    def feature_names(self) -> tuple[str, ...]:
        """What the view's features may be called."""
        from gnomon.analyses.attribute._spoken import spoken

        view = self.learned.view
        return view.names if self.show_rows else spoken(view, self.data, self.units)

    def randomised(self) -> tuple[list[Any], str]:
        """Copies with nothing learned, and what was randomised: "weights" of networks, else "labels"."""
        if "copies" not in self.made:
            self.made["copies"] = self._randomised()
        return self.made["copies"]

    def _randomised(self) -> tuple[list[Any], str]:
        seeds = self.seeds
        if self.is_network:
            return [replace(self.learned, module=shaken(self.learned.module, s)) for s in seeds], "weights"
        if self._relabels:
            rows = self.reference[:: -(-len(self.reference) // RELABELLED)]
            return [relabelled(self.learned, self.task, self.data, rows, s) for s in seeds[:self.copies]], "labels"
        if self.fit_again is not None:
            again = [strongest(self.fit_again(s))[0] for s in seeds[:RANDOMISED]]
            return [a for a in again if _kind_of(a) == _kind_of(self.learned)], "labels"
        return [], "labels"

    @property
    def _relabels(self) -> bool:
        """Whether estimators are fitted anew on held-out rows with their labels dealt out anew."""
        return not self.is_network and self.is_fitted and (len(self.reference) >= ENOUGH or self.fit_again is None)

    @property
    def copies(self) -> int:
        """How many randomised copies are explained, at most."""
        if self._relabels and len(self.seeds) <= RANDOMISED:
            return REFITTED
        return len(self.seeds) if self.is_network or self._relabels else RANDOMISED if self.fit_again is not None else 0

    @property
    def seeds(self) -> list[int]:
        """One a randomised copy, at most."""
        structured = any(self.data.kind(c) not in SCALAR for c in self.data.inputs)
        return [self.seed + 1 + k for k in range(RANDOMISED if structured else RANDOMISED_SCALAR)]

    def seconds_a_row(self, technique: str, once: Callable[[Case], Any]) -> float:
        """What one row takes: `once(case)`, the technique itself, timed on one row, on two, and on more as long as that is
        quickly done, for many rows at once cost less each; the quickest counts, for a first call may load something."""
        if technique not in self.timed:
            rates, took, room = [], 0.0, max(QUICK, TRYING * (self.end - time.monotonic()))
            for before, count in zip((1, *TRIED), TRIED, strict=False):
                if count > 2 and (count > len(self.rows) or took * count / before > room):
                    break
                few = self.only(np.arange(min(count, len(self.rows))))
                start = time.perf_counter()
                once(few)
                took = time.perf_counter() - start
                rates.append(took / len(few.rows))
            self.timed[technique] = min(rates)
        return self.timed[technique]

    def gate_a_row(self) -> float:
        """What the deletion gate takes a row."""
        from gnomon.analyses.attribute.deletion_against_random import drops

        def once(few: Case) -> Any:
            ground = few.ground()
            return drops(ground, [np.arange(len(p), dtype=float) for p in ground.pieces])

        return self.seconds_a_row("deletion against random", once)

    def affordable(self, technique: str, once: Callable[[Case], Any], times: float, before: float = 0.0) -> Case | str:
        """The same about as many rows (all, 96, 48, 24 or 12) as there is time for; or why the technique is not begun.
        times: how often a row is explained in all, for the gates' randomised copies too. before: seconds a row that are
        spent once."""
        if self.end == float("inf"):
            return self
        if time.monotonic() > self.end:
            return f"{technique.replace('_', ' ')}: no time was left"
        needed = before + self.seconds_a_row(technique, once) * times + self.gate_a_row()
        for count in (len(self.rows), 96, 48, 24, 12):
            if count <= len(self.rows) and time.monotonic() + count * needed <= self.end:
                return self if count == len(self.rows) else self.only(np.arange(count))
        fewest = min(12, len(self.rows))
        return (f"{technique.replace('_', ' ')} would take about {fewest * needed:.0f} s for {fewest} rows (measured on "
                "a few), more than was left")

    def only(self, kept: np.ndarray) -> Case:
        """The same about fewer rows (places in `rows`)."""
        classes = self.question.classes
        fewer = replace(self.question, classes=None if classes is None else classes[kept])
        return replace(self, rows=self.rows[kept], question=fewer)

    def ground(self, learned: Any | None = None) -> Ground:
        predict = (learned or self.learned).predict
        return ground_of(self.data, self.rows, self.reference, self.question, predict, seed=self.seed)
