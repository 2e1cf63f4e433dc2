"""Which candidates to train, in which order, with how many steps, and why; and which not, and why not.

The rules look at the data's kinds and size, the cards say what fits what (`reads`, `tasks`, `needs` against `gives`),
and measured speed turns the budget into steps. The clock is read here and never again: steps are frozen in plan.toml.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gnomon.card import Card, catalogue
from gnomon.data.features._view import VIEWS
from gnomon.data.parts import Parts
from gnomon.data.table import Data
from gnomon.errors import GnomonError
from gnomon.values import Recipe
from gnomon.workflow._facts import Facts, facts_of
from gnomon.workflow._floors import floor_recipes

EPOCHS = {"number": 60, "molecule": 50, "sequence": 15, "text": 12, "image": 30}  # useful passes over the rows
EPOCHS_CLASSES = {"molecule": 25, "sequence": 10}  # where classes are learned sooner than numbers
FEWEST_STEPS = 100  # fewer optimiser steps than this teach nothing worth judging
MOST_SEEDS = 3
DEEP_NEEDS_ROWS = 100
WIDE = 10  # rows for each column below which averaged trees have too few to split by
FIRST = "first choice: "  # begins the reason of the simple model to bet on, and of the deep one


@dataclass(frozen=True)
class Plan:
    """Candidates in order, how many seeds each gets, what each should cost, and what was left out."""

    candidates: tuple[Recipe, ...]
    seeds: Mapping[str, int]
    seconds: Mapping[str, float]
    left_out: tuple[tuple[str, str], ...] = ()
    memory_mb: float = 0.0
    budget: float = 600.0
    threads: int = 0  # CPU threads for training, chosen by measurement; 0 = all the desk has
    made_for: Mapping[str, Any] = field(default_factory=dict)
    snapshots: int = 0  # states of each network's weights kept over its first run


def simple_ladder(facts: Facts) -> list[tuple[str, str, str]]:
    """(model, view, why) of the field's own simple things, cheapest first."""
    linear = "logistic" if facts.task == "classify" else "ridge"
    if facts.task == "several":
        linear = "ridge"
    by_kind = {
        "molecule": [(linear, "descriptors", "a straight line through known properties: the field's oldest baseline"),
                     ("forest", "morgan", "forest on Morgan fingerprints: the baseline chemists trust"),
                     ("support_vectors", "descriptors", "a smooth function of the descriptors"),
                     ("boosting", "descriptors", "boosted trees on the descriptors"),
                     ("gaussian_process", "descriptors", "a smooth function with its own uncertainty")],
        "sequence": [(linear, "kmers", "which short words occur: equals many published networks"),
                     (linear, "onehot", "each position by itself: the baseline of variant effects"),
                     ("forest", "standard", "averaged trees on words, positions and composition"),
                     ("boosting", "onehot+composition", "positions and composition, with interactions"),
                     ("support_vectors", "onehot", "a smooth function of the positions")],
        "text": [(linear, "words", "which words occur: often hard to beat below 10,000 texts"),
                 ("boosting", "tfidf", "main directions of the words, with interactions")],
        "image": [(linear, "standard", "edges, texture and brightness, by place"),
                  ("forest", "pixels", "brightness by place, with interactions"),
                  ("forest", "texture", "texture and intensity only: what needs no shape"),
                  ("support_vectors", "hog", "a smooth function of the edges")],
        "number": [(linear, "standard", "a straight line: the first thing to try"),
                   ("lasso", "standard", "a straight line through few columns: says which"),
                   ("forest", "standard", "averaged trees: interactions without tuning"),
                   ("support_vectors", "standard", "a smooth function of few columns"),
                   ("gaussian_process", "standard", "a smooth function with its own uncertainty"),
                   ("boosting", "standard", "boosted trees: the strongest simple model on tables"),
                   ("explainable_boosting", "standard", "sums of curves, one a column: readable and often as good")],
    }
    if facts.stranded:
        by_kind["sequence"].insert(1, (linear, "strands", "the same words on either strand"))
    if facts.pieces:
        by_kind["text"].insert(1, (linear, "tfidf", "words and pieces of words, which rare words share"))
    return by_kind[facts.main]


def first_simple(facts: Facts) -> tuple[str, str]:
    """(model, view) of the simple model to bet on where only one can be afforded; the ladder's cheapest comes before it."""
    linear = "logistic" if facts.task == "classify" else "ridge"
    classes = facts.task == "classify"
    bets = {
        "molecule": [("boosting", "descriptors")] if facts.designed else [("forest", "morgan")] if classes else
                    [("support_vectors", "descriptors"), ("boosting", "descriptors")],
        "sequence": [(linear, "strands")] if classes and facts.stranded else
                    [("boosting", "onehot+composition"), (linear, "kmers")] if classes else
                    [("support_vectors", "onehot"), ("boosting", "onehot+composition")],
        "text": [(linear, "words")],
        "image": [("support_vectors", "hog"), (linear, "standard")],
        "number": [("support_vectors", "standard")] if facts.columns * (WIDE if classes else 1) > facts.rows else
                  [("boosting", "standard"), ("forest", "standard")] if facts.rows >= (2000 if classes else 500) else
                  [("forest", "standard")] if classes or facts.columns > 20 else
                  [("gaussian_process", "standard")],
    }
    return next((bet for bet in bets[facts.main] if not too_much(bet[0], facts)), (linear, "standard"))


def deep_ladder(facts: Facts) -> list[tuple[str, dict[str, Any], str]]:
    """(model, options, why) of the deep models for the data's main kind, most promising first."""
    careful = {"dropout": 0.2} if facts.task == "classify" else {}
    small = {"hidden": 48, "depth": 1, "dropout": 0.3, "batch": 32} if facts.rows < 5000 else {}
    return {
        "molecule": [("message_passing", careful, "learns on the bonds themselves, with descriptors joined in"),
                     ("gin", careful, "a second graph network, for diversity")],
        "sequence": [("convolution_attention", {}, "motifs, and which of them matter"),
                     ("transformer", {}, "every position may look at every other")],
        "text": [("convolution_attention", small, "phrases, and which of them matter"),
                 ("transformer", {}, "every word may look at every other")],
        "image": [("resnet", {}, "a residual network, sized to the images and the budget")],
        "number": [("tabm", {}, "an ensemble of MLPs in one, with embedded numbers"),
                   ("mlp", {}, "a modern MLP with embedded numbers and categories")],
    }[facts.main]


def useful_steps(facts: Facts, batch: int) -> int:
    """Steps beyond which nothing more is learned, by experience with each kind."""
    epochs = EPOCHS_CLASSES.get(facts.main) if facts.task == "classify" else None
    return max(FEWEST_STEPS, round((epochs or EPOCHS[facts.main]) * facts.rows / batch))


def too_much(model: str, facts: Facts) -> str:
    """Why a model does not suit data of this size; "" when it does."""
    n, d = facts.rows, facts.columns
    limits = {
        "gaussian_process": (n > 2000, f"{n:,} training rows: its cost grows with their cube"),
        "support_vectors": (n > 5000, f"{n:,} training rows: its cost grows with their square"),
        "explainable_boosting": (n * max(d, 1) > 400_000 or d > 100 or facts.folds * n > 40_000 or facts.classes > 2,
                                 f"{n:,} rows x {d:,} columns: too slow for what it adds here"),
        "lasso": (d < 10 or facts.task != "regress", "few columns, or classes: the other linear model says the same"),
        "boosting": (n < 60 or (facts.classes > 2 and n * facts.classes > 30_000), 
                     f"{n:,} training rows, {facts.classes} classes: too few for boosted trees, or too slow"),
        "forest": (n < 20, f"{n} training rows: too few for a forest"),
    }
    bad, why = limits.get(model, (False, ""))
    return why if bad else ""


def method_for(card: Card, methods: Mapping[str, Card]) -> str:
    """The first labelled method whose needs this model's gifts meet."""
    for key, method in methods.items():
        if set(method.needs) <= {*card.gives, "labels"} and (not method.tasks or set(method.tasks)):
            return key
    return ""


def draft(data: Data, parts: Parts, task: Any, *, only: Sequence[str] = (), skip: Sequence[str] = ()
          ) -> tuple[list[Recipe], list[tuple[str, str]]]:
    """Candidates without steps, and those left out with the reason. The floors always come first."""
    facts, cards = facts_of(data, parts, task), catalogue()
    methods = {k: c for k, c in cards.items() if c.module.startswith("gnomon.methods.labelled") and c.needs}
    recipes = floor_recipes(data, parts, task.name)
    left: list[tuple[str, str]] = []
    bet, deep = first_simple(facts), deep_ladder(facts)
    wanted = [(m, {"view": v}, FIRST * ((m, v) == bet) + why, "simple") for m, v, why in simple_ladder(facts)]
    wanted += [(m, options, FIRST * (m == deep[0][0]) + why, "deep") for m, options, why in deep]
    for model, options, why, family in wanted:
        no = _refusal(model, facts, cards, task, only, skip, family)
        if no:
            left.append((model, no))
            continue
        recipe = Recipe(task.name, model, method_for(cards[model], methods), options, because=why, family=family)  # type: ignore[arg-type]
        recipes.append(named(recipe, data))
    return recipes, left


def named(recipe: Recipe, data: Data) -> Recipe:
    """The recipe, its name saying what it reads beside what its view names."""
    view = set(str(recipe.options.get("view", "standard")).split("+"))
    if view == {"standard"} or recipe.family != "simple":
        return recipe
    others = {data.kind(n) for n in data.inputs} - {kind for kind, keys in VIEWS.items() if view & {*keys}}
    return replace(recipe, beside="numbers" if others == {"number"} else "other columns" if others else "")


def _refusal(model: str, facts: Facts, cards: Mapping[str, Card], task: Any, only: Sequence[str], skip: Sequence[str],
             family: str) -> str:
    if model not in cards:
        return "not installed"
    if (only and model not in only) or model in skip:
        return "left out as asked (--only, --skip)"
    card = cards[model]
    single = tuple(t.name for t in task.tasks) if task.name == "several" else (task.name,)
    if card.tasks and not set(single) <= set(card.tasks):
        return f"not made for the task '{task.name}'"
    if model in only:  # asked for by name: what follows is advice
        return ""
    if family == "deep" and facts.units < DEEP_NEEDS_ROWS:
        return f"{facts.units} independent units: too few to train or judge a deep model"
    if family == "deep" and facts.columns > 3000 and facts.rows < 500:
        return f"{facts.columns:,} columns for {facts.rows} rows: a deep model would only memorise"
    return too_much(model, facts)


@dataclass(frozen=True)
class Pace:
    """One deep candidate on this machine: steps a second, rows a step, steps worth taking and the fewest that teach."""

    recipe: Recipe
    per_second: float
    batch: int
    useful: int
    fewest: int


def frozen_steps(recipes: Sequence[Recipe], facts: Facts, seconds: float, speed: Callable[[Recipe], tuple[float, int]]
                 ) -> tuple[list[Recipe], dict[str, int], dict[str, float], list[tuple[str, str]]]:
    """Deep candidates with their steps a fold, seeds and predicted seconds, within `seconds` altogether.

    speed(recipe) -> (optimiser steps a second, rows a step), measured on this machine. The first candidate is served
    first, then the next if the least it needs is left, then more seeds.
    """
    paces, left = _paces([r for r in recipes if r.family == "deep"], facts, speed)
    kept: list[Recipe] = []
    seeds, cost, rest = {}, {}, seconds
    for place, pace in enumerate(paces):
        others = [p.fewest * facts.folds / p.per_second for p in paces[place + 1:]]
        share = rest * (0.65 if others and min(others) < 0.3 * rest else 0.97)
        affordable = int(share / facts.folds * pace.per_second)
        steps = _rounded(min(pace.useful, affordable))
        if steps < pace.fewest:
            left.append((pace.recipe.model, f"{max(rest, 0):.0f} s left would buy {affordable} steps a fold, "
                                            f"{pace.fewest} are the least that teach: --budget"))
            continue
        planned = replace(pace.recipe, steps=steps)
        kept.append(planned)
        seeds[planned.hash], cost[planned.hash] = 1, steps * facts.folds / pace.per_second
        rest -= cost[planned.hash]
    for planned in kept:  # what is left buys further seeds, the best-placed candidate first
        each = cost[planned.hash]
        while seeds[planned.hash] < MOST_SEEDS and rest > each * 1.05:
            rest, seeds[planned.hash] = rest - each, seeds[planned.hash] + 1
            cost[planned.hash] += each
    return kept, seeds, cost, left


def seconds_short(why: str) -> float | None:
    """How much more time a candidate that was left out for want of it needs, from the reason given; None = not known."""
    if simple := re.match(r"about (\d+) s, more than the budget leaves", why):
        return float(simple[1])
    deep = re.match(r"(\d+) s left would buy (\d+) steps a fold, (\d+) are the least", why)
    return float(deep[1]) * (float(deep[3]) / float(deep[2]) - 1) if deep and float(deep[2]) else None


def _paces(deep: Sequence[Recipe], facts: Facts, speed: Callable[[Recipe], tuple[float, int]]
           ) -> tuple[list[Pace], list[tuple[str, str]]]:
    paces, left = [], []
    for recipe in deep:
        try:
            per_second, batch = speed(recipe)
        except GnomonError as error:
            left.append((recipe.model, f"cannot be trained on these data: {error.message}"))
            continue
        fewest = max(FEWEST_STEPS, round(2 * facts.rows / batch))
        paces.append(Pace(recipe, per_second, batch, useful_steps(facts, batch), fewest))
    return paces, left


def _rounded(steps: int) -> int:
    """Two leading digits: a plan a person can read, and less at the mercy of the clock."""
    if steps < 100:
        return steps
    scale = 10 ** (len(str(steps)) - 2)
    return steps // scale * scale
