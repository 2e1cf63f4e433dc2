"""Attributions of simple models against exact values: Shapley by all subsets, coefficients, terms, bits on atoms."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest

from gnomon.analyses.attribute._features import environment_atoms, onto_atoms
from gnomon.analyses.attribute._tensors import _smiles_atoms
from gnomon.analyses.attribute.additive_terms import additive_terms
from gnomon.analyses.attribute.linear_attribution import linear_attribution
from gnomon.analyses.attribute.tree_shap import tree_shap


def shapley(value, x, background):
    """By definition, over all subsets of the features, hidden ones taken from each background row."""
    d = len(x)
    out = np.zeros(d)
    for i in range(d):
        rest = [j for j in range(d) if j != i]
        for size in range(d):
            weight = factorial(size) * factorial(d - size - 1) / factorial(d)
            for chosen in combinations(rest, size):
                without, given = background.copy(), background.copy()
                without[:, list(chosen)] = x[list(chosen)]
                given[:, [*chosen, i]] = x[[*chosen, i]]
                out[i] += weight * (value(given).mean() - value(without).mean())
    return out


def toy(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, 6))
    return x, x[:, 0] * x[:, 1] + 2 * (x[:, 2] > 0) + 0.1 * x[:, 3]


def test_tree_shap_equals_exact_shapley_values_of_six_features():
    from sklearn.ensemble import RandomForestRegressor

    x, y = toy()
    model = RandomForestRegressor(15, max_depth=5, random_state=0).fit(x, y)
    found = tree_shap(model, x[:3], background=x[100:130])
    for row in range(3):
        assert found[row] == pytest.approx(shapley(model.predict, x[row], x[100:130]), abs=1e-6)


def test_tree_shap_adds_up_for_forests_and_for_lightgbm():
    import lightgbm
    from sklearn.ensemble import RandomForestClassifier

    x, y = toy()
    forest = RandomForestClassifier(20, max_depth=6, random_state=0).fit(x, y > 1)
    found = tree_shap(forest, x[:20])
    share = forest.predict_proba(x[:20])[:, 1]
    assert np.ptp(share - found.sum(1)) < 1e-9  # the same average for all
    boosted = lightgbm.LGBMClassifier(n_estimators=20, num_leaves=6, verbosity=-1).fit(x, np.digitize(y, [0, 2]))
    for k in range(3):
        margin = boosted.predict(x[:20], raw_score=True)[:, k]
        assert np.ptp(margin - tree_shap(boosted, x[:20], output=k).sum(1)) < 1e-6


def test_linear_attribution_is_exact():
    rng = np.random.default_rng(1)
    x, weights, mean = rng.normal(size=(10, 4)), rng.normal(size=4), rng.normal(size=4)
    found = linear_attribution(weights, x, mean)
    assert np.allclose(found.sum(1), x @ weights - mean @ weights)


def test_additive_terms_add_up():
    from interpret.glassbox import ExplainableBoostingRegressor

    x, y = toy()
    model = ExplainableBoostingRegressor(interactions=2, outer_bags=2, max_rounds=50, n_jobs=1).fit(x, y)
    found = additive_terms(model, x[:20])
    assert np.allclose(found.sum(1) + model.intercept_, model.predict(x[:20]))


def test_terms_of_our_own_curves_add_up_and_columns_left_out_add_nothing():
    from gnomon.analyses.attribute._features import contributions, way_of
    from gnomon.analyses.attribute._question import Question
    from gnomon.models.tables._curves import CurvesOfNumbers

    dice = np.random.default_rng(4)
    x = dice.normal(size=(150, 4))
    model = CurvesOfNumbers(bags=1, rounds=60, most=2).fit(x, 3 * x[:, 1] - x[:, 3])
    assert way_of(model) == "additive_terms" and model.chosen_.tolist() == [1, 3]
    kind, found = contributions(model, x[:20], np.zeros(4), Question("y", -1, 0, 1, None))
    assert kind == "additive_terms" and not found[:, [0, 2]].any()
    assert np.allclose(found.sum(axis=1) + model.model_.intercept_, model.predict(x[:20]), atol=1e-9)



def test_bits_go_to_the_atoms_that_set_them():
    from attribution_fakes import table

    from gnomon.data.features._view import fit_view
    from gnomon.methods._fitted import Fitted

    smiles = np.array(["CCO", "CCN", "CCCl", "CCCO", "c1ccccc1O", "CCBr"] * 5)
    data = table({"molecule:s": smiles, "y": np.zeros(30)})
    rows = np.arange(30)
    view = fit_view(data, rows, ("s",), "morgan", dense=False, seed=0)
    matrix = view.transform(data, rows).toarray()
    oxygen = matrix[0] - matrix[1]  # what tells CCO from CCN: bits whose environments hold the hetero atom
    values = np.where((matrix > 0) & (oxygen > 0), 1.0, 0.0)
    atoms = onto_atoms(Fitted(view, (), ()), data, rows[:1], "s", values[:1])[0]
    assert atoms.sum() == pytest.approx(values[0].sum()) and atoms.argmax() == 2
    from rdkit import Chem

    assert environment_atoms(Chem.MolFromSmiles("CCO"), 2, 1) == [1, 2]


def test_smiles_tokens_become_atoms():
    assert _smiles_atoms("C[NH+]=C1Cl", np.arange(1.0, 7)).tolist() == [1, 2 + 3, 4 + 5, 6]
