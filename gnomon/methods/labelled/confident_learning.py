"""Find labels that are probably wrong by cross-validation, leave them out or trust them less, and train again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from gnomon.card import Card, load
from gnomon.data.parts import Rows
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.data.weights import filled
from gnomon.errors import InputError
from gnomon.methods import _kit as kit
from gnomon.methods._desk import Desk
from gnomon.methods._network import describe_builder
from gnomon.methods._noise import classes_only, mislabelled, out_of_fold
from gnomon.rng import key

CARD = Card(
    name="Confident learning",
    gist="Out-of-fold probabilities say which training labels another class claims with confidence; those rows are "
         "dropped or weigh less, and the model is trained again.",
    use_when="Labels come from crowds, rules or merged sources, and a simple model already separates the classes.",
    avoid_when="Classes overlap: hard rows look mislabelled and would be lost; labels are few.",
    paper="Northcutt, Jiang & Chuang 2021, Confident learning, JAIR 70, arXiv:1911.00068",
    survey=("M10", "P5"),
    tasks=("classify",),
    needs=("labels", "steps"),
    tune={"folds": (3, 5, 10), "action": ("drop", "weigh")},
    cost="minutes",
)
ACTIONS = ("drop", "weigh")
TRUST = "label trust"


def confident_learning(task: Any, build: Callable[..., Any], data: Data, rows: Rows, seed: int, desk: Desk, *,
                       folds: int = 5, action: str = "drop", by: str = "self", view: str = "standard",
                       rate: float | None = None, batch: int | None = None, augment: str = "auto",
                       molecules: str = "graph") -> Any:
    """Clean the training labels, then train `build` as own_fit (estimators) or supervised (networks) would.

    action: "drop" leaves suspect rows out; "weigh" keeps them with weight p(label) / p(likeliest class). by: "self" =
    the model itself gives the out-of-fold probabilities (folds + 1 trainings); or the key of a model that fits itself,
    e.g. "logistic", which is cheaper. view: for estimators; rate, batch, augment, molecules: for networks.
    Only rows.fit and rows.stop are looked at; validation and test rows keep their labels and their weight.
    Raises E-MODEL-TASK unless the task is classification. Differs: folds are drawn at random, not by unit.
    """
    classes_only(task, "confident_learning")
    if action not in ACTIONS:
        raise InputError("E-PLAN-OPTION", f"action is one of {', '.join(ACTIONS)}; '{action}' came",
                         do="edit the candidate's options in plan.toml")
    train = trainer(task, build, data, desk, view=view, rate=rate, batch=batch, augment=augment, molecules=molecules)
    judge = train if by == "self" else trainer(task, load(by), data, desk, view="standard")
    seen = kit.labelled(task, data, rows.all)
    proba = out_of_fold(task, lambda part, k: judge(data, part, key(seed, "clean", k) % 2**31, None), data, seen,
                        folds, seed)
    labels = task.truth(data, seen)
    bad = mislabelled(proba, labels)
    desk.say(f"{int(bad.sum())} of {len(seen)} training labels look wrong or are hard to tell")
    if action == "drop":
        gone = seen[bad]
        return train(data, Rows(np.setdiff1d(rows.fit, gone), np.setdiff1d(rows.stop, gone)), seed, desk.folder)
    trust = proba[np.arange(len(seen)), labels] / np.maximum(proba.max(axis=1), 1e-9)
    return train(weighed(data, seen, np.where(bad, trust, 1.0)), rows, seed, desk.folder)


def trainer(task: Any, build: Callable[..., Any], data: Data, desk: Desk, *, view: str, **network: Any
            ) -> Callable[[Data, Rows, int, Any], Any]:
    """(data, rows, seed, folder) -> learned, by the way of training that suits this builder."""
    fits_itself = "fit" in _gifts(build)

    def run(data: Data, rows: Rows, seed: int, folder: Any) -> Any:
        here = replace(desk, folder=folder)
        if fits_itself:
            from gnomon.methods.labelled.own_fit import own_fit

            return own_fit(task, build, data, rows, seed, here, view=view)
        from gnomon.methods.labelled.supervised import supervised

        return supervised(task, build, data, rows, seed, here, **network)

    return run


def _gifts(build: Callable[..., Any]) -> tuple[str, ...]:
    """What the builder's card offers; a builder without a card is a network when it says it returns a module."""
    from gnomon.card import catalogue

    card = catalogue().get(describe_builder(build).get("key", ""))
    if card is not None:
        return card.gives
    while isinstance(build, partial):
        build = build.func
    return () if "Module" in str(getattr(build, "__annotations__", {}).get("return", "")) else ("fit",)


def weighed(data: Data, rows: np.ndarray, trust: np.ndarray) -> Data:
    """The data with these rows' weights multiplied by `trust`: in the weight column there is, else in one of its own."""
    names = data.named("weight")
    n = len(data)
    before = np.array(data.columns[names[0]].take(np.arange(n)), dtype=float) if names else np.ones(n)
    before[rows] = filled(before[rows]) * trust
    name = names[0] if names else TRUST
    return replace(data, columns={**data.columns, name: Dense(before, Spec("number"))},
                   roles={**data.roles, name: data.roles.get(name, Role("weight", "how far each label is trusted"))})
