"""Simple models: a closed form, a law or a reference for each; what is saved predicts the same and executes nothing."""

from __future__ import annotations

import functools
import json
import zipfile

import numpy as np
import pytest

from gnomon.data.parts import Rows
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.errors import InputError, TrainingError
from gnomon.methods._desk import Desk
from gnomon.methods._fitted import load_fitted
from gnomon.methods.labelled.own_fit import own_fit, reads
from gnomon.models.tables.boosting import boosting
from gnomon.models.tables.explainable_boosting import explainable_boosting
from gnomon.models.tables.forest import forest
from gnomon.models.tables.gaussian_process import gaussian_process
from gnomon.models.tables.lasso import lasso
from gnomon.models.tables.logistic import logistic
from gnomon.models.tables.ridge import ridge
from gnomon.models.tables.support_vectors import support_vectors
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress
from gnomon.tasks.several import several

NUMBER, CLASSES = Spec("out", shape=(1,)), Spec("out", shape=(3,), categories=("a", "b", "c"))
TWO = Spec("out", shape=(2,), categories=("no", "yes"))
NUMBERS = (ridge, lasso, forest, boosting, gaussian_process, support_vectors, explainable_boosting)
LABELS = (logistic, lasso, forest, boosting, gaussian_process, support_vectors, explainable_boosting)
DESK = Desk(threads=1)
SMALL = {forest: {"trees": 20}, boosting: {"rounds": 60, "bags": 1}, explainable_boosting: {"rounds": 200, "bags": 2},
         gaussian_process: {"restarts": 1, "searched": 80}}


def small(model):
    return functools.partial(model, **SMALL.get(model, {}))


def inputs(d: int) -> dict[str, Spec]:
    return {"numbers": Spec("numbers", shape=(d,))}


def table(n: int = 150, seed: int = 0, weight: bool = False) -> Data:
    """x0 and x1 matter, x2 does not; number target y, class target c."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    y = 2 * x[:, 0] + np.sin(2 * x[:, 1]) + 0.1 * rng.normal(size=n)
    columns = {f"x{i}": Dense(x[:, i], Spec("number")) for i in range(3)}
    columns["y"] = Dense(y, Spec("number"))
    codes = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3])).astype(np.int32)
    columns["c"] = Dense(codes, Spec("category", categories=("a", "b", "c")))
    roles = {name: Role("input" if name[0] == "x" else "ignore", "") for name in columns}
    if weight:
        columns["w"], roles["w"] = Dense(np.ones(n), Spec("number")), Role("weight", "")
    return Data(columns, roles, np.arange(n))


def rows(n: int = 150) -> tuple[Rows, np.ndarray]:
    return Rows(np.arange(n - 60), np.arange(n - 60, n - 40)), np.arange(n - 40, n)


def test_ridge_is_the_closed_form_and_its_penalty_the_best_left_out():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 12))
    y = x @ rng.normal(size=12) + 3 * rng.normal(size=40) + 5
    model = ridge(inputs(12), NUMBER).fit(x, y)
    centred = x - x.mean(axis=0)
    wanted = np.linalg.solve(centred.T @ centred + model.alpha_ * np.eye(12), centred.T @ (y - y.mean()))
    assert np.allclose(model.coef_, wanted) and np.isclose(model.intercept_, y.mean() - x.mean(axis=0) @ wanted)

    def left_out(alpha: float) -> float:
        loss = 0.0
        for i in range(40):
            a, b = np.delete(x, i, axis=0), np.delete(y, i)
            m = a - a.mean(axis=0)
            w = np.linalg.solve(m.T @ m + alpha * np.eye(12), m.T @ (b - b.mean()))
            loss += (y[i] - b.mean() - (x[i] - a.mean(axis=0)) @ w) ** 2
        return loss

    alphas = np.geomspace(1e-3, 1e6, 28)
    assert np.isclose(model.alpha_, alphas[np.argmin([left_out(a) for a in alphas])])


def test_ridge_reads_sparse_and_wide_alike():
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(2)
    x = rng.poisson(0.3, size=(30, 80)).astype(np.float32)
    y = x[:, 0] + rng.normal(size=30)
    dense, sparse = ridge(inputs(80), NUMBER).fit(x, y), ridge(inputs(80), NUMBER).fit(csr_matrix(x), y)
    assert np.isclose(dense.alpha_, sparse.alpha_)
    assert np.allclose(dense.predict(x), sparse.predict(csr_matrix(x)), atol=1e-3)


def test_logistic_in_the_rows_own_space_is_the_same_model():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(3)
    x = rng.normal(size=(30, 200))
    y = (x[:, 0] + rng.normal(size=30) > 0).astype(int)
    model = logistic(inputs(200), TWO).fit(x, y)
    direct = LogisticRegression(C=model.C_, max_iter=5000, tol=1e-8).fit(x, y)
    assert np.allclose(model.coef_, direct.coef_, atol=2e-3 * np.abs(direct.coef_).max() + 1e-4)
    assert np.allclose(model.predict_proba(x).sum(axis=1), 1)


def test_logistic_several_classes_is_scikit_learns():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, 4))
    y = np.argmax(x[:, :3] + rng.normal(size=(200, 3)), axis=1)
    model = logistic(inputs(4), CLASSES).fit(x, y)
    direct = LogisticRegression(C=model.C_, max_iter=500, tol=1e-8).fit(x, y)
    assert np.allclose(model.predict_proba(x), direct.predict_proba(x), atol=1e-3)


def test_lasso_keeps_what_matters():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(150, 100))
    y = 3 * x[:, 7] - 2 * x[:, 42] + 0.5 * rng.normal(size=150)
    model = lasso(inputs(100), NUMBER).fit(x, y)
    assert set(np.argsort(-np.abs(model.coef_))[:2]) == {7, 42} and (np.abs(model.coef_) > 0.2).sum() == 2
    assert model.coef_[7] == pytest.approx(3, abs=0.2)
    few = lasso(inputs(100), TWO).fit(x, (y > 0).astype(int))
    assert set(np.argsort(-np.abs(few.coef_[0]))[:2]) == {7, 42} and (few.coef_ == 0).mean() > 0.5


def test_forest_predicts_within_the_training_range_and_samples_large_data():
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(200, 3)), rng.normal(size=200)
    model = forest(inputs(3), NUMBER, trees=10, rows=50).fit(x, y)
    assert model.max_samples == 50 and len(model.estimators_) == 10
    far = model.predict(100 * rng.normal(size=(50, 3)))
    assert y.min() <= far.min() and far.max() <= y.max()
    assert forest(inputs(3), CLASSES).max_features == "sqrt" and forest(inputs(300), NUMBER).max_features == 1 / 3
    assert forest(inputs(2500), NUMBER).max_features == 0.1


@pytest.mark.parametrize("library", ["lightgbm", "scikit-learn"])
def test_boosting_stops_where_the_held_out_rows_say(library, monkeypatch):
    from gnomon.models.tables import _boosted

    if library == "scikit-learn":
        monkeypatch.setattr(_boosted, "_has_lightgbm", lambda: False)
    else:
        pytest.importorskip("lightgbm")
    rng = np.random.default_rng(7)
    x = rng.normal(size=(300, 4))
    y = np.sin(2 * x[:, 0]) * 3 + 0.1 * rng.normal(size=300)
    learns = boosting(inputs(4), NUMBER, rounds=200, bags=1).fit(x[:200], y[:200], stop=(x[200:250], y[200:250]))
    assert learns.rounds_ > 30
    assert np.mean((learns.predict(x[250:]) - y[250:]) ** 2) < 0.2 * y.var()
    noise = boosting(inputs(4), NUMBER, rounds=200, bags=1)
    noise.fit(x[:200], rng.normal(size=200), stop=(x[200:], rng.normal(size=100)))
    assert noise.rounds_ < 30  # nothing to learn: it stops at once


def test_gaussian_process_is_the_closed_form_and_finds_the_input_that_matters():
    rng = np.random.default_rng(8)
    x = rng.uniform(-2, 2, size=(80, 2))
    y = np.sin(2 * x[:, 0]) + 0.05 * rng.normal(size=80)
    model = gaussian_process(inputs(2), NUMBER, searched=80, restarts=1).fit(x, y)
    kernel = model.model_.kernel_
    z = (y - y.mean()) / y.std()
    new = rng.uniform(-2, 2, size=(5, 2))
    wanted = kernel(new, x) @ np.linalg.solve(kernel(x) + 1e-8 * np.eye(80), z) * y.std() + y.mean()
    assert np.allclose(model.predict(new), wanted, atol=1e-6)
    lengths = kernel.k1.k1.k2.length_scale
    assert lengths[1] > 5 * lengths[0]
    near, far = model.predict(np.array([[0.0, 0.0], [30.0, 30.0]]), return_std=True)[1]
    assert far > 3 * near
    with pytest.raises(TrainingError, match="at most 50 rows"):
        gaussian_process(inputs(2), NUMBER, rows=50).fit(x, y)


def test_explainable_boosting_adds_up():
    rng = np.random.default_rng(9)
    x = rng.normal(size=(200, 2))
    model = explainable_boosting(inputs(2), NUMBER, rounds=300, bags=2).fit(x, x[:, 0] + x[:, 1] ** 2)
    a, b, c, d = model.predict(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    assert d - c == pytest.approx(b - a, abs=1e-9) and b - a > 0.5


@pytest.mark.parametrize("model", NUMBERS)
def test_numbers_beat_the_mean_and_come_back_the_same(model, tmp_path):
    data, (parts, test) = table(), rows()
    task = regress("y")
    learned = own_fit(task, small(model), data, parts, 0, DESK)
    truth = task.truth(data, test)
    prediction = learned.predict(data, test)
    assert np.mean((prediction.value - truth) ** 2) < 0.5 * truth.var()
    learned.save(tmp_path)
    assert np.array_equal(load_fitted(tmp_path).predict(data, test).value, prediction.value)
    again = own_fit(task, small(model), data, parts, 0, DESK)
    assert np.array_equal(again.predict(data, test).value, prediction.value)


@pytest.mark.parametrize("model", LABELS)
def test_classes_beat_chance_and_come_back_the_same(model, tmp_path):
    data, (parts, test) = table(), rows()
    task = classify("c", ("a", "b", "c", "never seen"))
    learned = own_fit(task, small(model), data, parts, 0, DESK)
    prediction = learned.predict(data, test)
    assert prediction.proba.shape == (40, 4) and np.allclose(prediction.proba.sum(axis=1), 1)
    assert np.all(prediction.proba[:, 3] == 0)
    assert np.mean(prediction.value == task.truth(data, test)) > 0.6
    learned.save(tmp_path)
    assert np.array_equal(load_fitted(tmp_path).predict(data, test).proba, prediction.proba)


def test_several_targets_are_fitted_each_on_its_own_rows(tmp_path):
    data, (parts, test) = table(), rows()
    gappy = data.columns["y"].values.copy()
    gappy[::3] = np.nan
    columns, roles = {**data.columns, "g": Dense(gappy, Spec("number"))}, {**data.roles, "g": Role("ignore", "")}
    data = Data(columns, roles, data.position)
    both = own_fit(several([regress("y"), regress("g")]), ridge, data, parts, 0, DESK)
    prediction = both.predict(data, test)
    for part, name in zip(prediction.parts, ("y", "g"), strict=True):
        assert np.allclose(part.value, own_fit(regress(name), ridge, data, parts, 0, DESK).predict(data, test).value)
    assert not np.allclose(prediction.parts[0].value, prediction.parts[1].value)
    both.save(tmp_path)
    assert np.array_equal(load_fitted(tmp_path).predict(data, test).parts[1].value, prediction.parts[1].value)


def test_rows_of_no_weight_do_not_count():
    data, (parts, test) = table(weight=True), rows()
    spoiled = table(weight=True)
    spoiled.columns["w"].values[:20] = 0
    spoiled.columns["y"].values[:20] = 1e6
    clean = own_fit(regress("y"), forest, data, Rows(parts.fit[20:], parts.stop), 0, DESK).predict(data, test).value
    kept = own_fit(regress("y"), forest, spoiled, parts, 0, DESK).predict(data, test).value
    assert np.abs(kept - clean).max() < 2


@pytest.mark.parametrize("model", LABELS, ids=lambda m: m.__name__)
@pytest.mark.parametrize("counts", [(89, 1), (88, 1, 1)], ids=str)
def test_a_class_of_one_row_leaves_the_others_learnt(model, counts):
    """The inner splits that hold the only row out have one class to fit on: they are left out."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(len(counts)), counts)
    x = rng.normal(size=(90, 3)) + 9 * y[:, None]
    out = Spec("out", shape=(len(counts),), categories=("a", "b", "c")[:len(counts)])
    proba = small(model)(inputs(3), out).fit(x, y).predict_proba(x)
    assert proba.shape == (90, len(counts)) and np.allclose(proba.sum(1), 1) and (proba[:80].argmax(1) == 0).all()


def test_estimators_say_what_they_read():
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.neighbors import KNeighborsRegressor

    assert reads(ridge(inputs(1), NUMBER)) == ("scaled", False)
    assert reads(forest(inputs(1), NUMBER)) == reads(boosting(inputs(1), NUMBER)) == ("raw", True)
    assert reads(gaussian_process(inputs(1), NUMBER)) == ("scaled", True)
    assert reads(GradientBoostingClassifier())[0] == "filled" and reads(KNeighborsRegressor())[0] == "scaled"


def test_wrong_tasks_and_too_little_truth_are_refused_in_words():
    for model, out in ((ridge, CLASSES), (logistic, NUMBER)):
        with pytest.raises(InputError) as refused:
            model(inputs(3), out)
        assert refused.value.code == "E-MODEL-TASK"
    data, (parts, _) = table(), rows()
    data.columns["y"].values[1:] = np.nan
    with pytest.raises(TrainingError) as few:
        own_fit(regress("y"), ridge, data, parts, 0, DESK)
    assert few.value.code == "E-TRUTH-FEW"


@pytest.mark.parametrize("change", [
    {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "content": "system"},
    {"__class__": "partial", "__module__": "functools", "__loader__": "PartialNode"},
    {"__class__": "Popen", "__module__": "subprocess", "__loader__": "ObjectNode"},
    {"__class__": "methodcaller", "__module__": "operator", "__loader__": "OperatorFuncNode"},
    {"__class__": "Made", "__module__": "gnomon.models.tables._linear.os", "__loader__": "ObjectNode"},
])
def test_a_strangers_file_is_refused_unopened(change, tmp_path):
    data, (parts, _) = table(), rows()
    own_fit(regress("y"), ridge, data, parts, 0, DESK).save(tmp_path)
    file = tmp_path / "estimators.skops"
    with zipfile.ZipFile(file) as archive:
        pieces = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(pieces["schema.json"])
    schema["content"].append(change)
    with zipfile.ZipFile(file, "w") as archive:
        for name, body in (pieces | {"schema.json": json.dumps(schema).encode()}).items():
            archive.writestr(name, body)
    with pytest.raises(InputError) as refused:
        load_fitted(tmp_path)
    assert refused.value.code == "E-MODEL-UNTRUSTED" and change["__class__"] in str(refused.value)


@pytest.mark.slow
def test_esol_by_descriptors(shared_data):
    """Solubility, five random splits: ridge on descriptors and fingerprints stays below 0.65 log units."""
    import pandas as pd

    frame = pd.read_csv(shared_data / "molecules_esol" / "esol.csv")
    target = "measured log solubility in mols per litre"
    columns = {"smiles": Dense(frame.smiles.to_numpy(dtype=object), Spec("molecule")),
               target: Dense(frame[target].to_numpy(float), Spec("number"))}
    roles = {"smiles": Role("input", ""), target: Role("target", "")}
    data, task, scores = Data(columns, roles, np.arange(len(frame))), regress(target), []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(frame))
        parts, test = Rows(order[:902], order[902:1015]), order[1015:]
        learned = own_fit(task, ridge, data, parts, 0, DESK)
        scores.append(task.score(task.measure(learned.predict(data, test), task.truth(data, test))))
    assert np.mean(scores) < 0.65


def test_a_forest_fitted_with_threads_predicts_the_same_to_the_last_bit():
    from gnomon.card import load
    from gnomon.data.table import Spec

    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5)).astype(np.float32)
    forest = load("forest")({}, Spec("out", shape=(1,))).set_params(random_state=0, n_jobs=2).fit(x, x[:, 0] * x[:, 1])
    first = forest.predict(x)
    assert all(np.array_equal(first, forest.predict(x)) for _ in range(20))


@pytest.mark.parametrize("classes", [(), ("a", "b", "c")])
def test_a_packed_forest_is_the_forest(classes):
    from skops import io

    rng = np.random.default_rng(5)
    x = rng.normal(size=(120, 4))
    x[rng.random(x.shape) < 0.05] = np.nan
    y = rng.integers(3, size=120) if classes else x[:, 0] + rng.normal(size=120)
    y = np.nan_to_num(y)
    x = np.nan_to_num(x) if classes else x
    grown = forest({}, Spec("out", shape=(max(len(classes), 1),), categories=classes), trees=25).fit(x, y)
    kept = io.dumps(grown)
    again = io.loads(kept, trusted=io.get_untrusted_types(data=kept))
    told, told_again = (f.predict_proba(x) if classes else f.predict(x) for f in (grown, again))
    assert np.array_equal(told, told_again)
    for one, two in zip(grown.estimators_, again.estimators_, strict=True):
        assert np.array_equal(one.tree_.threshold, two.tree_.threshold)
        assert one.get_params().keys() == two.get_params().keys()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_left_out_errors_are_those_of_fits_without_each_row(weighted, sparse, monkeypatch):
    """Against scikit-learn's own leave-one-out on every alpha, in pieces of rows that do not divide them."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import RidgeCV

    from gnomon.models.tables import _linear

    monkeypatch.setattr(_linear, "PIECE", 70)
    rng = np.random.default_rng(11)
    x = rng.normal(size=(90, 6)) * (rng.random((90, 6)) < 0.4)
    y = x @ rng.normal(size=6) + 3 + rng.normal(size=90)
    weight, alphas = rng.uniform(0.2, 2, 90) if weighted else None, np.geomspace(1e-3, 1e3, 7)
    theirs = RidgeCV(alphas, store_cv_results=True).fit(x, y, sample_weight=weight)
    ours = _linear.left_out_errors(csr_matrix(x) if sparse else x, y, alphas, weight)
    np.testing.assert_allclose(ours, theirs.cv_results_.mean(axis=0), rtol=1e-8)
    assert alphas[ours.argmin()] == theirs.alpha_
