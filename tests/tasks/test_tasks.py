"""Tasks: scores agree with scikit-learn, missing labels do not count, several targets train together."""

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.errors import InputError
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress
from gnomon.tasks.several import several


def three_classes(rng, n=200):
    truth = rng.integers(0, 3, n)
    proba = rng.dirichlet(np.ones(3), n) + np.eye(3)[truth] * 0.4
    proba /= proba.sum(1, keepdims=True)
    return truth, Prediction(proba.argmax(1), proba)


@pytest.mark.parametrize("name, expected", [
    ("accuracy", lambda t, p: reference.accuracy_score(t, p.value)),
    ("macro_f1", lambda t, p: reference.f1_score(t, p.value, average="macro")),
    ("balanced_accuracy", lambda t, p: reference.balanced_accuracy_score(t, p.value)),
    ("mcc", lambda t, p: reference.matthews_corrcoef(t, p.value)),
    ("log_loss", lambda t, p: reference.log_loss(t, p.proba)),
    ("roc_auc", lambda t, p: reference.roc_auc_score(t, p.proba, multi_class="ovr")),
])
def test_classification_scores_equal_the_reference(name, expected):
    truth, prediction = three_classes(np.random.default_rng(0))
    task = classify("y", ("a", "b", "c"), metric=name)
    assert task.score(task.measure(prediction, truth)) == pytest.approx(expected(truth, prediction), abs=1e-6)


@pytest.mark.parametrize("name, expected", [
    ("rmse", reference.root_mean_squared_error), ("mae", reference.mean_absolute_error), ("r2", reference.r2_score)])
def test_regression_scores_equal_the_reference(name, expected):
    rng = np.random.default_rng(1)
    truth = rng.normal(size=50)
    value = truth + rng.normal(size=50)
    task = regress("y", metric=name)
    assert task.score(task.measure(Prediction(value), truth)) == pytest.approx(expected(truth, value))


def test_rows_without_a_label_do_not_count():
    task = regress("y")
    scored = task.score(task.measure(Prediction(np.array([1.0, 5.0])), np.array([2.0, np.nan])))
    assert scored == pytest.approx(1.0)
    terms = task.loss(torch.tensor([[1.0], [5.0]]), torch.tensor([2.0, float("nan")]), torch.ones(2))
    assert terms["squared_error"].item() == pytest.approx(1.0)


def test_regression_reads_what_it_standardised():
    task = regress("y", mean=10, sd=2)
    assert task.read(np.array([[0.0], [1.0]])).value == pytest.approx([10, 12])


def test_several_targets_with_missing_entries_train_and_score_by_target():
    columns = {"a": Dense(np.array([1.0, np.nan, 3.0]), Spec("number")),
               "b": Dense(np.array([np.nan, 2.0, 4.0]), Spec("number"))}
    data = Data(columns, {name: Role("target", "") for name in columns}, np.arange(3))
    task = several([regress("a"), regress("b")])
    truth = task.truth(data, np.arange(3))
    raw = np.zeros((3, 2))
    stats = task.measure(task.read(raw), truth)
    assert task.score(stats) == pytest.approx(np.mean([np.sqrt(5), np.sqrt(10)]))
    leaf = torch.zeros(3, 2, requires_grad=True)
    sum(task.loss(leaf, torch.tensor(truth), torch.ones(3)).values()).backward()
    assert (leaf.grad.numpy() != 0).tolist() == [[True, False], [False, True], [True, True]]


def test_several_refuses_unlike_metrics_in_words():
    with pytest.raises(InputError, match="different metrics"):
        several([regress("a"), classify("b", ("x", "y"))])


def test_positive_class_comes_last_and_codes_follow():
    task = classify("y", ("case", "control"), positive="case")
    data = Data({"y": Dense(np.array([0, 1, -1], dtype=np.int32), Spec("category", categories=("case", "control")))},
                {"y": Role("target", "")}, np.arange(3))
    assert task.classes == ("control", "case")
    assert task.truth(data, np.arange(3)).tolist() == [1, 0, -1]


def test_unknown_metric_lists_the_choices():
    with pytest.raises(InputError, match="rmse, mae"):
        regress("y", metric="dice")


@pytest.mark.parametrize("task, truth", [
    (classify("y", ("a", "b")), np.array([0, 1, 1, -1])), (regress("y"), np.array([1.0, 3.0, np.nan]))])
def test_floor_uses_only_the_truth(task, truth):
    floor = task.naive(truth).predict(2)
    expected = [1, 1] if task.name == "classify" else [2.0, 2.0]
    assert floor.value.tolist() == expected
