"""Every technique that a study can be asked for by name, as what the gates need: `TECHNIQUES[name](case)`.

Each entry takes a Case and gives an Attempt, or words that say why it does not apply, or None where there is nothing to
rank. Gradients are multiplied with the input here, so that a piece's parts add up to its contribution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from gnomon.analyses.attribute import occlusion
from gnomon.analyses.attribute._attempts import (
    Attempt,
    _columns,
    _of_features,
    _piece_features,
    _pieces_name,
    by_occlusion,
)
from gnomon.analyses.attribute._audits import audited
from gnomon.analyses.attribute._case import SCALAR, Case
from gnomon.analyses.attribute._computed import handed_back, means, seconds_before
from gnomon.analyses.attribute._features import rows_affordable, way_of
from gnomon.analyses.attribute._gates import mean_correlations
from gnomon.analyses.attribute._ground import Ground
from gnomon.analyses.attribute._inside import shaken
from gnomon.analyses.attribute._perturbing import PIECEWISE, _redrawn, by_own_way, by_pieces, by_redrawing, masked, runs_of
from gnomon.analyses.attribute._tensors import Spread, spread
from gnomon.analyses.attribute.integrated_gradients import path_ends
from gnomon.errors import InputError

Way = Callable[[Any, Any, Any, Any], Any]  # (module, inputs, target, its further arguments by name) -> attributions by input

DRAWS, STEPS = 16, 32  # of SmoothGrad and of integrated gradients
MASK_STEPS = 60  # of gradient, a mask
CASCADE = (0.25, 0.5)  # shares of the weights, from the output backwards, that the cascade randomises
FITTED_ON = 500  # rows that patterns are fitted on
FROM_A_BASELINE = ("integrated_gradients", "deeplift")


def through_network(case: Case, *, technique: str) -> Attempt | str | None:
    """A network's attribution by one of WAYS, on pieces of the data."""
    if not case.is_network:
        return f"{technique.replace('_', ' ')} goes back through a network, and the model explained is none"
    try:
        before = seconds_before(case)
        fewer = case.affordable(technique, lambda few: attributed(few, few.learned, few.ground(), technique),
                                1 + case.copies + len(CASCADE), before)
        if isinstance(fewer, str):
            return fewer
        ground = fewer.ground()
        if max(len(p) for p in ground.pieces) < 2:
            return None
        found = attributed(fewer, fewer.learned, ground, technique)
    except InputError as error:
        return f"{technique.replace('_', ' ')}: {error.message}"
    copies, of = fewer.randomised()
    again = [attributed(fewer, copy, ground, technique).scores for copy in copies]
    return Attempt(technique, _pieces_name(ground), ground, found.scores, again, of, fewer.question, fewer.rows,
                   _columns(ground, found.scores, found.over), _piece_features(ground, found.scores),
                   (*cascade(fewer, ground, found.scores, technique), *completeness(fewer, ground, found, technique),
                    *_through(found)), kept=np.arange(len(fewer.rows)),
                   fine=found.fine)


def completeness(case: Case, ground: Ground, found: Spread, technique: str) -> tuple[dict[str, Any], ...]:
    """How far the pieces (and what belongs to none) are from adding up to output(row) - output(baseline), as an audit."""
    if technique not in FROM_A_BASELINE:
        return ()
    network = case.learned
    inputs = network.tensoriser.batch(ground.data, np.arange(len(ground)), next(network.module.parameters()).device)
    low, high = path_ends(network.module, inputs, ground.question.pick, baseline=means(case, network, inputs) or None)
    change = (high - low).cpu().numpy()
    total = np.array([s.sum() for s in found.scores]) + sum(found.over.values())
    each = np.abs(total - change) / max(float(np.abs(change).mean()), 1e-12)
    return (audited("completeness", each, None, "the parts miss the output's change from the baseline by {} of its mean "
                                                "size; 0 = they add up").entry,)


def _through(found: Spread) -> tuple[dict[str, Any], ...]:
    """For the reader of a molecule: how much of its atoms' weight is properties that the network read beside the graph."""
    return tuple({"name": f"share of the weight in {column} that came through its computed properties, by what each loses "
                          "without the atom", "value": share} for column, share in found.through.items())


def attributed(case: Case, network: Any, ground: Ground, technique: str) -> Spread:
    """One technique's attributions, brought to the ground's pieces. Inputs it says nothing about are left out."""
    device = next(network.module.parameters()).device
    inputs = network.tensoriser.batch(ground.data, np.arange(len(ground)), device)
    base = means(case, network, inputs) if technique in FROM_A_BASELINE else {}
    more: dict[str, Any] = {"baseline": base} if base else {}
    if technique == "pattern_attribution":
        some = case.reference[:: -(-len(case.reference) // FITTED_ON)]
        more = {"data": network.tensoriser.batch(case.data, some, device)}
    found = WAYS[technique](network.module, inputs, ground.question.pick, more)
    positions = {name: encoder.vocabulary.positions for name, encoder in network.tensoriser.encoders.items()
                 if encoder.kind == "tokens" and encoder.vocabulary.positions}
    arrays = {name: value.detach().float().cpu().numpy() for name, value in found.items()}
    said = {name: values for name, values in arrays.items() if not np.isnan(values).any()}
    out = spread(ground, network.tensoriser.sources, network.tensoriser.names, inputs, said, positions)
    return handed_back(out, case, network, ground, inputs, said, base)


def cascade(case: Case, ground: Ground, scores: list[np.ndarray], technique: str) -> tuple[dict[str, Any], ...]:
    """Rank correlation after randomising from the output backwards: the last quarter of the weights, then half."""
    total, out = len(list(case.learned.module.parameters())), []
    for share in CASCADE:
        copy = replace(case.learned, module=shaken(case.learned.module, case.seed, most=max(1, int(share * total))))
        rho = mean_correlations(scores, [attributed(case, copy, ground, technique).scores])
        out.append({"name": f"rank correlation, last {share:.0%} of the weights randomised",
                    "value": float(rho[np.isfinite(rho)].mean()) if np.isfinite(rho).any() else None})
    return tuple(out)


def _named(name: str, **options: Any) -> Way:
    """The technique's own function, with these options."""
    def way(module: Any, inputs: Any, target: Any, more: Mapping[str, Any]) -> Any:
        from gnomon.card import load

        return load(name)(module, inputs, target, **options, **more)

    return way


WAYS: Mapping[str, Way] = {
    "saliency": _named("saliency", times_input=True),
    "smoothgrad": _named("smoothgrad", times_input=True, draws=DRAWS),
    "integrated_gradients": _named("integrated_gradients", steps=STEPS),
    "grad_cam": _named("grad_cam", rectify=False),
    "deconvolution": _named("deconvolution", times_input=True),
    "guided_backprop": _named("guided_backprop", times_input=True),
    "visual_backprop": _named("visual_backprop"),
    "pattern_attribution": _named("pattern_attribution"),
    "deeplift": _named("deeplift"),
    "layer_relevance": _named("layer_relevance"),
    "optimised_mask": masked("optimised_mask", steps=MASK_STEPS),
    "extremal_perturbation": masked("extremal_perturbation", areas=(0.1,), steps=MASK_STEPS),
}
TECHNIQUES: dict[str, Callable[[Case], Attempt | str | None]] = {
    **{name: partial(through_network, technique=name) for name in WAYS},
    "occlusion": partial(by_occlusion, technique="occlusion"),
    **{name: partial(by_pieces, technique=name) for name in PIECEWISE},
    **{name: partial(by_own_way, technique=name) for name in ("tree_shap", "linear_attribution", "additive_terms")},
    "prediction_difference": partial(by_redrawing, technique="prediction_difference"),
}


def seconds_for(case: Case, name: str) -> float:
    """What a technique takes for all rows of a case, gates included: measured on two of them; 0 where it does not apply."""
    copies = 1 + case.copies
    structured = any(case.data.kind(c) not in SCALAR for c in case.data.inputs)
    if name in WAYS:
        once, times = (lambda few: attributed(few, few.learned, few.ground(), name)), copies + len(CASCADE)
    elif name in PIECEWISE:
        once, times = (lambda few: PIECEWISE[name](few.ground())), runs_of(case, name)
    elif name == "occlusion":
        once, times = (lambda few: occlusion.of_pieces(few.ground())), copies
    elif name == "prediction_difference":
        once, times = (lambda few: _redrawn(few, few.ground())), copies
    else:
        once, times = (lambda few: _of_features(few, few.learned)), copies
    fits = (case.is_network if name in WAYS else not structured and case.question.classes is not None
            if name == "prediction_difference" else True if name in PIECEWISE or name == "occlusion" else
            case.is_fitted and way_of(case.learned.estimators[max(case.question.part, 0)]) == name)
    if not fits:
        return 0.0
    own = name in ("tree_shap", "linear_attribution", "additive_terms")
    rows = rows_affordable(case.learned.estimators[max(case.question.part, 0)], len(case.rows)) if own else len(case.rows)
    try:
        before = seconds_before(case) if name in WAYS else 0.0
        return rows * (before + times * case.seconds_a_row(name, once) + case.gate_a_row())
    except InputError:
        return 0.0
