"""Every technique that a study can be asked for by name, as what the gates need: `TECHNIQUES[name](case)`.

Each entry takes a Case and gives an Attempt, or words that say why it does not apply, or None where there is nothing to
rank. Gradients are multiplied with the input here, so that a piece's parts add up to its contribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np

from gnomon.analyses.attribute import aggregated, extremal_perturbation, gnn_explainer, occlusion, optimised_mask
from gnomon.analyses.attribute._attempts import (
    MOST_PIECES,
    Attempt,
    _columns,
    _of_features,
    _piece_features,
    _pieces_name,
    by_occlusion,
)
from gnomon.analyses.attribute._audits import audited, correlations
from gnomon.analyses.attribute._case import Case
from gnomon.analyses.attribute._computed import handed_back, losses, means, seconds_before
from gnomon.analyses.attribute._features import rows_affordable, way_of
from gnomon.analyses.attribute._gates import mean_correlations
from gnomon.analyses.attribute._ground import Ground
from gnomon.analyses.attribute._inside import shaken
from gnomon.analyses.attribute._masks import by_masks, covered
from gnomon.analyses.attribute._perturbing import PIECEWISE, by_own_way, by_pieces, runs_of
from gnomon.analyses.attribute._redrawing import by_redrawing, laws, redrawn, refused
from gnomon.analyses.attribute._tensors import Spread, spread
from gnomon.analyses.attribute.input_shift import shifted
from gnomon.analyses.attribute.integrated_gradients import path_ends
from gnomon.errors import InputError

Way = Callable[[Any, Any, Any, Any], Any]  # (module, inputs, target, its further arguments by name) -> attributions by input

DRAWS, STEPS = 16, 32  # of SmoothGrad and of integrated gradients
MASK_STEPS = 60  # of gradient, a mask
AREA_OF_IMAGES = (0.1,)  # of an extremal perturbation
CASCADE = (0.25, 0.5)  # shares of the weights, from the output backwards, that the cascade randomises
FITTED_ON = 500  # rows that patterns are fitted on
FROM_A_BASELINE = ("integrated_gradients", "deeplift")
UNMOVED: Mapping[str, float] = MappingProxyType({})


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
    unsaid = {c for c in case.data.inputs if c not in found.said}
    unsaid |= {part.what for piece in ground.pieces[0] for part in piece.parts if part.column in unsaid}
    told = tuple(p for p in ground.pieces[0] if not {p.column, *(part.column for part in p.parts)} <= unsaid)
    columns, features = _columns(ground, found.scores, found.over), _piece_features(ground, found.scores)
    return Attempt(technique, _pieces_name(replace(ground, pieces=(told,))), ground, found.scores, again, of, fewer.question,
                   fewer.rows, {name: own for name, own in columns.items() if name not in unsaid},
                   {name: own for name, own in features.items() if name in {p.label for p in told}},
                   (*cascade(fewer, ground, found.scores, technique), *completeness(fewer, ground, found, technique),
                    *_own_audits(found), *_through(found)), kept=np.arange(len(fewer.rows)), fine=found.fine,
                   covered=found.covered)


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


def _own_audits(found: Spread) -> Iterator[dict[str, Any]]:
    """Of a mean of several techniques, how alike they rank, over all pairs; of a mask, how much of a row it covers: ranks,
    which are all that the gates see, are as good where it covers nearly everything."""
    if found.members:
        pairs = [correlations(a, b) for a, b in combinations(found.members, 2)]
        yield audited("agreement of its members", np.mean(pairs, axis=0), None, "rank correlation {} of the techniques that "
                      "are averaged, over the same rows, mean of all pairs").entry
    if found.covered is not None:
        yield audited("share of a row under its mask", found.covered, None, "{} of a row, mean over rows").entry


def _through(found: Spread) -> tuple[dict[str, Any], ...]:
    """For the reader of a molecule: how much of its atoms' weight is properties that the network read beside the graph."""
    return tuple({"name": f"share of the weight in {column} that came through its computed properties, by what each loses "
                          "without the atom", "value": share} for column, share in found.through.items())


def attributed(case: Case, network: Any, ground: Ground, technique: str, *, moved: Mapping[str, float] = UNMOVED) -> Spread:
    """One technique's attributions, brought to the ground's pieces. Inputs it says nothing about are left out.
    moved: tensor -> what is added to it, for a module that takes it off again (input-shift invariance)."""
    if technique == "aggregated":
        return averaged(case, network, ground, moved)
    device = next(network.module.parameters()).device
    inputs = shifted(network.tensoriser.batch(ground.data, np.arange(len(ground)), device), moved)
    base = means(case, network, inputs) if technique in FROM_A_BASELINE else {}
    more: dict[str, Any] = {"baseline": base} if base else {}
    if technique == "pattern_attribution":
        some = case.reference[:: -(-len(case.reference) // FITTED_ON)]
        more = {"data": shifted(network.tensoriser.batch(case.data, some, device), moved)}
    if technique == "smoothgrad":
        more = {"seed": case.seed}
    if technique in MASKS:
        more = {"lost": losses(case, network, ground, inputs), "find": _finding(technique, ground, inputs)}
    found = WAYS[technique](network.module, inputs, ground.question.pick, more)
    positions = {name: encoder.vocabulary.positions for name, encoder in network.tensoriser.encoders.items()
                 if encoder.kind == "tokens" and encoder.vocabulary.positions}
    arrays = {name: value.detach().float().cpu().numpy() for name, value in found.items()}
    said = {name: values for name, values in arrays.items() if not np.isnan(values).any()}
    out = spread(ground, network.tensoriser.sources, network.tensoriser.names, inputs, said, positions)
    out = handed_back(out, case, network, ground, inputs, said, base)
    return replace(out, covered=covered(inputs, said)) if technique in MASKS else out


def averaged(case: Case, network: Any, ground: Ground, moved: Mapping[str, float]) -> Spread:
    """The aggregated explanation: MEMBERS and occlusion, which takes pieces out of the data, where no zero is moved."""
    if max(len(p) for p in ground.pieces) > MOST_PIECES:
        raise InputError("E-ATTRIBUTION", f"rows of more than {MOST_PIECES} pieces are not occluded piece by piece",
                         do="take integrated_gradients or optimised_mask")
    parts = [attributed(case, network, ground, name, moved=moved) for name in MEMBERS]
    taken = occlusion.of_pieces(ground if moved else replace(ground, predict=network.predict))
    members = (*(p.scores for p in parts), taken)
    return Spread(aggregated.of_maps(members), said=set.intersection(*(p.said for p in parts)), members=members)


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


def _finding(technique: str, ground: Ground, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a mask technique has to know of the question: whether it is a class; and of the rows: words are wholes, and of
    images one area is enough, as every pixel tells."""
    if technique == "gnn_explainer":
        return {"odds": ground.question.classes is not None}
    told: dict[str, Any] = {"cell": 1} if any(c.spec.kind == "text" for c in ground.data.columns.values()) else {}
    pixels = any(getattr(value, "ndim", 0) == 4 for value in inputs.values())
    return {**told, "areas": AREA_OF_IMAGES} if technique == "extremal_perturbation" and pixels else told


def _masked(of_rows: Callable[..., Any], **options: Any) -> Way:
    """A mask technique: signed, so that what speaks against the explained output is below 0."""
    def way(module: Any, inputs: Any, target: Any, more: Mapping[str, Any]) -> Any:
        return by_masks(module, inputs, target, partial(of_rows, **options, **more.get("find", {})), signed=True,
                        lost=more.get("lost"))

    return way


MASKS: Mapping[str, Way] = {
    "optimised_mask": _masked(optimised_mask.of_rows, steps=MASK_STEPS),
    "extremal_perturbation": _masked(extremal_perturbation.of_rows, steps=MASK_STEPS),
    "gnn_explainer": _masked(gnn_explainer.of_rows, steps=MASK_STEPS),
}
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
    **MASKS,
}
MEMBERS = ("integrated_gradients", "optimised_mask")  # of an aggregated explanation, beside occlusion
OF_NETWORKS = (*WAYS, "aggregated")
TECHNIQUES: dict[str, Callable[[Case], Attempt | str | None]] = {
    **{name: partial(through_network, technique=name) for name in OF_NETWORKS},
    "occlusion": partial(by_occlusion, technique="occlusion"),
    **{name: partial(by_pieces, technique=name) for name in PIECEWISE},
    **{name: partial(by_own_way, technique=name) for name in ("tree_shap", "linear_attribution", "additive_terms")},
    "prediction_difference": partial(by_redrawing, technique="prediction_difference"),
}


def seconds_for(case: Case, name: str) -> float:
    """What a technique takes for all rows of a case, gates included: measured on two of them; 0 where it does not apply."""
    copies = 1 + case.copies
    if name in OF_NETWORKS:
        once, times = (lambda few: attributed(few, few.learned, few.ground(), name)), copies + len(CASCADE)
    elif name in PIECEWISE:
        once, times = (lambda few: PIECEWISE[name](few.ground())), runs_of(case, name)
    elif name == "occlusion":
        once, times = (lambda few: occlusion.of_pieces(few.ground())), copies
    elif name == "prediction_difference":
        if refused(case, case.ground()):
            return 0.0
        laws(case)
        once, times = (lambda few: redrawn(few, few.ground())), copies
    else:
        once, times = (lambda few: _of_features(few, few.learned)), copies
    fits = (case.is_network if name in OF_NETWORKS else True if name in (*PIECEWISE, "occlusion", "prediction_difference") else
            case.is_fitted and way_of(case.learned.estimators[max(case.question.part, 0)]) == name)
    if not fits:
        return 0.0
    own = name in ("tree_shap", "linear_attribution", "additive_terms")
    rows = rows_affordable(case.learned.estimators[max(case.question.part, 0)], len(case.rows)) if own else len(case.rows)
    try:
        before = seconds_before(case) if name in OF_NETWORKS else 0.0
        return rows * (before + times * case.seconds_a_row(name, once) + case.gate_a_row())
    except InputError:
        return 0.0
