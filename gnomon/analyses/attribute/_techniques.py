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

from gnomon.analyses.attribute._attempts import Attempt, _columns, _piece_features, _pieces_name, by_occlusion
from gnomon.analyses.attribute._case import Case
from gnomon.analyses.attribute._gates import mean_correlations
from gnomon.analyses.attribute._ground import Ground
from gnomon.analyses.attribute._inside import shaken
from gnomon.analyses.attribute._perturbing import PIECEWISE, by_own_way, by_pieces, by_redrawing, masked
from gnomon.analyses.attribute._tensors import Spread, spread
from gnomon.errors import InputError

Way = Callable[[Any, Any, Any, Any], Any]  # (module, inputs, target, data to fit on) -> attributions by input

DRAWS, STEPS = 16, 32  # of SmoothGrad and of integrated gradients
MASK_STEPS = 60  # of gradient, a mask
FITTED_ON = 500  # rows that patterns are fitted on


def through_network(case: Case, *, technique: str, passes: float) -> Attempt | str | None:
    """A network's attribution by one of WAYS, on pieces of the data. passes: network runs a row, for the time it takes."""
    if not case.is_network:
        return f"{technique.replace('_', ' ')} goes back through a network, and the model explained is none"
    fewer = case.affordable(technique, 3 * passes * (2 + len(case.seeds)))
    if isinstance(fewer, str):
        return fewer
    ground = fewer.ground()
    if max(len(p) for p in ground.pieces) < 2:
        return None
    try:
        found = attributed(fewer, fewer.learned, ground, technique)
    except InputError as error:
        return f"{technique.replace('_', ' ')}: {error.message}"
    copies, of = fewer.randomised()
    again = [attributed(fewer, copy, ground, technique).scores for copy in copies]
    return Attempt(technique, _pieces_name(ground), ground, found.scores, again, of, fewer.question, fewer.rows,
                   _columns(ground, found.scores, found.over), _piece_features(ground, found.scores),
                   cascade(fewer, ground, found.scores, technique), kept=np.arange(len(fewer.rows)), fine=found.fine)


def attributed(case: Case, network: Any, ground: Ground, technique: str) -> Spread:
    """One technique's attributions, brought to the ground's pieces. Inputs it says nothing about are left out."""
    device = next(network.module.parameters()).device
    inputs = network.tensoriser.batch(ground.data, np.arange(len(ground)), device)
    fit_on = None
    if technique == "pattern_attribution":
        some = case.reference[:: -(-len(case.reference) // FITTED_ON)]
        fit_on = network.tensoriser.batch(case.data, some, device)
    found = WAYS[technique](network.module, inputs, ground.question.pick, fit_on)
    positions = {name: encoder.vocabulary.positions for name, encoder in network.tensoriser.encoders.items()
                 if encoder.kind == "tokens" and encoder.vocabulary.positions}
    arrays = {name: value.detach().float().cpu().numpy() for name, value in found.items()}
    said = {name: values for name, values in arrays.items() if not np.isnan(values).any()}
    return spread(ground, network.tensoriser.sources, network.tensoriser.names, inputs, said, positions)


def cascade(case: Case, ground: Ground, scores: list[np.ndarray], technique: str) -> tuple[dict[str, Any], ...]:
    """Rank correlation after randomising from the output backwards: the last quarter of the weights, then half."""
    total, out = len(list(case.learned.module.parameters())), []
    for share in (0.25, 0.5):
        copy = replace(case.learned, module=shaken(case.learned.module, case.seed, most=max(1, int(share * total))))
        rho = mean_correlations(scores, [attributed(case, copy, ground, technique).scores])
        out.append({"name": f"rank correlation, last {share:.0%} of the weights randomised",
                    "value": float(rho[np.isfinite(rho)].mean()) if np.isfinite(rho).any() else None})
    return tuple(out)


def _named(name: str, **options: Any) -> Way:
    """The technique's own function, with these options."""
    def way(module: Any, inputs: Any, target: Any, fit_on: Any) -> Any:
        from gnomon.card import load

        more = {"data": fit_on} if name == "pattern_attribution" else {}
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
PASSES = {"smoothgrad": DRAWS, "integrated_gradients": STEPS, "deeplift": 4, "layer_relevance": 6, "pattern_attribution": 12,
          "optimised_mask": MASK_STEPS, "extremal_perturbation": MASK_STEPS}

TECHNIQUES: dict[str, Callable[[Case], Attempt | str | None]] = {
    **{name: partial(through_network, technique=name, passes=PASSES.get(name, 1)) for name in WAYS},
    "occlusion": partial(by_occlusion, technique="occlusion"),
    **{name: partial(by_pieces, technique=name) for name in PIECEWISE},
    **{name: partial(by_own_way, technique=name) for name in ("tree_shap", "linear_attribution", "additive_terms")},
    "prediction_difference": partial(by_redrawing, technique="prediction_difference"),
}
