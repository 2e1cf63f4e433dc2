"""Plain words for the report: how numbers are written, and the one sentence that says what each means."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

METRICS: Mapping[str, tuple[str, str]] = {
    "rmse": ("RMSE", "Typical size of an error, in the target's own unit; large errors count more. Lower is better."),
    "mae": ("mean absolute error", "Average size of an error, in the target's own unit. Lower is better."),
    "r2": (
        "R squared",
        "Share of the target's variation that is predicted: 1 is perfect, 0 is no better than the mean.",
    ),
    "spearman": ("Spearman correlation", "How well the predicted order matches the true order: 1 same, 0 unrelated."),
    "pearson": (
        "Pearson correlation",
        "How closely predictions follow the truth along a line: 1 exactly, 0 not at all.",
    ),
    "roc_auc": (
        "AUC",
        "Chance that a random positive is ranked above a random negative: 0.5 is guessing, 1 is perfect.",
    ),
    "accuracy": ("accuracy", "Share of predictions that are right."),
    "balanced_accuracy": ("balanced accuracy", "Share right within each class, averaged over the classes."),
    "macro_f1": ("macro F1", "Balance of found and falsely named, averaged over the classes: 1 is perfect."),
    "log_loss": ("log loss", "Penalty on probabilities: being sure and wrong costs most. Lower is better."),
    "mcc": ("Matthews correlation", "Agreement of predicted and true classes beyond chance: 1 perfect, 0 chance."),
    "average_precision": ("average precision", "How pure the top of the ranking is: the positives' share is guessing."),
}
FAMILIES: Mapping[str, tuple[str, str]] = {
    "floor": ("Floor", "What knowing nothing about the inputs scores."),
    "simple": ("Simple", "Classical models on standard features of the field."),
    "deep": ("Deep", "Neural networks trained on these data."),
    "ensemble": ("Ensemble", "A weighted mean of several of the models above."),
}
OUTCOMES: Mapping[str, tuple[str, str]] = {
    "better": ("Better", "The recommended model beats the comparison, and chance alone would rarely show this."),
    "equivalent": ("Equivalent", "Both score the same within the margin set beforehand: take the simpler."),
    "undetermined": ("Undetermined", "These data are too few to tell which is better: take the simpler."),
    "no-signal": ("No signal found", "Nothing beats guessing from the target alone."),
}
UNJUDGED = ("Not judged", "The rows that judge cannot tell a model from knowing nothing.")
GRADES: Mapping[str, tuple[str, str]] = {
    "block": ("blocks a claim", "A claim cannot be made while this stands."),
    "warn": ("warning", "Likely to mislead if ignored."),
    "note": ("note", "Worth knowing."),
    "fine": ("in order", "Checked, and in order."),
}
ESTIMATORS: Mapping[str, tuple[str, str]] = {
    "holdout": ("held-out rows", "Scored on rows this model never saw."),
    "repeated_cv": (
        "cross-validation",
        "Each row is scored by models that were fitted without it, averaged over repeats.",
    ),
    "nested_cv": ("nested cross-validation", "Choosing and tuning are repeated inside every fold."),
    "bbc_cv": ("corrected cross-validation", "Cross-validated, and corrected for having picked the best of several."),
}
ROLES: Mapping[str, str] = {
    "input": "The models may use it.",
    "target": "What is predicted.",
    "group": "Rows with equal values stay together.",
    "time": "Orders the rows.",
    "identifier": "Names a row; never used to predict.",
    "weight": "How much a row counts.",
    "split": "States which part a row belongs to.",
    "ignore": "Left out.",
}
BACK_TO: Mapping[str, tuple[str, str]] = {
    "collect": ("Collect", "Go back to collecting data."),
    "label": ("Label", "Go back to the labels."),
    "preprocess": ("Prepare", "Go back to preparing the columns."),
    "model": ("Model", "Go back to the choice of model."),
    "method": ("Method", "Go back to how it is trained or used."),
}
INTERVAL = "A range made so that, over many repeats of the study, {level:.0%} of such ranges hold the true value."
SEEDS = "How much the score moves when only the random start changes: standard deviation over the seeds."
MINUS = "\N{MINUS SIGN}"
NEGATIVE = re.compile(r"-[\d.,]+(e[-+]?\d+)?")


def metric_name(name: str) -> str:
    """The metric as people write it."""
    return METRICS.get(name, (name.replace("_", " "), ""))[0]


def metric_means(name: str) -> str:
    """One sentence on what the metric says."""
    return METRICS.get(name, ("", "A score of predictions against the truth."))[1]


def number(value: Any, digits: int = 3, decimals: int | None = None) -> str:
    """A number for people: `digits` significant ones, or fixed decimals; a true minus sign; commas in thousands."""
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return "" if value is None else "yes" if value is True else "no" if value is False else str(value)
    if not math.isfinite(value):
        return "unknown"
    if isinstance(value, int) or (decimals is None and float(value).is_integer() and abs(value) < 1e12):
        text = f"{int(value):,}"
    elif decimals is not None:
        text = f"{value:,.{decimals}f}"
    elif value == 0 or 1e-4 <= abs(value) < 1e6:
        places = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
        text = f"{value:,.{places}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
        text = f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(power)}"
    return text.replace("-", MINUS)


def signed(text: Any) -> str:
    """Text as it is; a number written with "-" gets a true minus sign."""
    text = str(text)
    return MINUS + text[1:] if NEGATIVE.fullmatch(text) else text


def places(*values: float | None) -> int:
    """Decimals that show a score and its interval to two digits of the interval's width."""
    known = [v for v in values if isinstance(v, (int, float)) and math.isfinite(v)]
    width = max(known, default=0.0) - min(known, default=0.0)
    size = width / 2 or max((abs(v) for v in known), default=1.0) / 50 or 1.0
    return int(min(6, max(0, 1 - math.floor(math.log10(size)))))


def interval(value: float | None, low: float | None, high: float | None) -> dict[str, str]:
    """value, low and high with the decimals that the interval's width asks for; of the value three digits at least, by which
    scores of wide intervals are told apart. low and high "" when there is no interval."""
    p = places(value, low, high)
    own = p if not value or not math.isfinite(value) else max(p, min(6, 2 - math.floor(math.log10(abs(value)))))
    write = lambda v, decimals: "" if v is None else number(float(v), decimals=decimals)  # noqa: E731
    return {"value": write(value, own), "low": write(low, p), "high": write(high, p)}


def duration(seconds: float | None) -> str:
    """Seconds as people say them."""
    if seconds is None:
        return ""
    if seconds < 1:
        return "under 1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{number(round(seconds / 60, 1))} min" if seconds < 6000 else f"{number(round(seconds / 3600, 1))} h"


def words(key: str) -> str:
    """A key of ours as words: `tree_shap` -> `tree shap`."""
    return str(key).replace("_", " ").strip()


def technique(key: str) -> str:
    """A technique's name as its card has it: `lime` -> `LIME`."""
    from gnomon.card import catalogue

    known = catalogue().get(str(key))
    return known.name if known else words(key).capitalize()


def plural(count: int, word: str) -> str:
    """`3 rows`, `1 row`."""
    many = (
        word[:-1] + "ies"
        if word.endswith("y") and word[-2:-1] not in "aeiou"
        else word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")
    )
    return f"{number(count)} {word if count == 1 else many}"
