"""Which difference would matter, fixed before the test part is opened."""

from __future__ import annotations

from gnomon.card import Card

CARD = Card(
    name="Margin of equivalence",
    gist="The smallest difference worth caring about: a twentieth of the way from the floor to the best simple model.",
    use_when="Two predictors will be compared, and the user has not said what difference matters.",
    avoid_when="The field has a known smallest worthwhile difference: state that instead.",
    paper="Lakens 2017, Social Psychological and Personality Science 8",
    survey=("P7", "W7"),
    cost="seconds",
)


def margin(floor: float, best_simple: float, *, share: float = 0.05) -> float:
    """`share` of the distance between the validation scores of floor and best simple model, in the metric's unit."""
    return share * abs(best_simple - floor)
