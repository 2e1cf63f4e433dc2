"""CKA, SVCCA, PWCCA, matchings and trees against closed forms, definitions and scikit-learn."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from gnomon.analyses.represent.cka import cka
from gnomon.analyses.represent.matching import matching
from gnomon.analyses.represent.pwcca import pwcca
from gnomon.analyses.represent.similarity_matrix import similarity_matrix
from gnomon.analyses.represent.similarity_tree import similarity_tree
from gnomon.analyses.represent.subspace_matching import subspace_matching
from gnomon.analyses.represent.svcca import svcca
from gnomon.errors import InputError


def two(seed: int, n: int = 120, p: int = 6, q: int = 9):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) + 5
    return x, x @ rng.normal(size=(p, q)) + 2 * rng.normal(size=(n, q)), rng


def rotation(p: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(p, p)))[0]


def centred(k: np.ndarray) -> np.ndarray:
    h = np.eye(len(k)) - 1 / len(k)
    return h @ k @ h


def rbf(x: np.ndarray, width: float) -> np.ndarray:
    distance = np.sqrt(((x[:, None] - x[None]) ** 2).sum(axis=2))
    return np.exp(-(distance**2) / (2 * (width * np.median(distance[np.triu_indices(len(x), 1)])) ** 2))


def by_definition(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741
    return np.trace(centred(k) @ centred(l)) / np.sqrt(np.trace(centred(k) @ centred(k)) * np.trace(centred(l) @ centred(l)))


def u_statistic(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741
    """HSIC_1 straight from its definition: the mean over all ordered quadruples of different rows of
    K_ij (L_ij + L_qr - 2 L_iq)."""
    total = [k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q]) for i, j, q, r in permutations(range(len(k)), 4)]
    return float(np.mean(total))


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("unbiased", [False, True])
def test_cka_is_one_with_itself_and_unmoved_by_rotation_scale_and_shift(kernel, unbiased):
    x, y, rng = two(1)
    options = {"kernel": kernel, "unbiased": unbiased}
    assert cka(x, x, **options) == pytest.approx(1, abs=1e-9)
    moved = 3.7 * x @ rotation(6, rng) + 11
    assert cka(x, moved, **options) == pytest.approx(1, abs=1e-9)
    assert cka(moved, y, **options) == pytest.approx(cka(x, y, **options), abs=1e-9) == pytest.approx(cka(y, x, **options))
    assert cka(x * np.arange(1, 7), y, **options) != pytest.approx(cka(x, y, **options), abs=1e-3)  # not to any linear map


def test_cka_equals_its_definition_by_kernel_matrices():
    x, y, _ = two(2)
    assert cka(x, y) == pytest.approx(by_definition(x @ x.T, y @ y.T), abs=1e-9)
    assert cka(x, y, kernel="rbf", width=0.4) == pytest.approx(by_definition(rbf(x, 0.4), rbf(y, 0.4)), abs=1e-9)
    wide = np.random.default_rng(0).normal(size=(120, 400))  # more units than rows: by blocks of the kernel
    assert cka(x, wide) == pytest.approx(by_definition(x @ x.T, wide @ wide.T), abs=1e-9)


def test_cka_on_a_matrix_worked_by_hand():
    # centred x = (-1, 0, 1), y = (-1, 2, -1) / 1: no covariance; y = (0, 0, 3) - 1: (x.y)^2 / (|x|^2 |y|^2) = 9 / 12
    x = np.array([[0.0], [1.0], [2.0]])
    assert cka(x, np.array([[-1.0], [2.0], [-1.0]])) == pytest.approx(0, abs=1e-12)
    assert cka(x, np.array([[0.0], [0.0], [3.0]])) == pytest.approx(0.75)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_unbiased_cka_equals_the_u_statistic_over_all_quadruples(kernel):
    x, y, _ = two(3, n=9, p=3, q=2)
    k, l = (x @ x.T, y @ y.T) if kernel == "linear" else (rbf(x, 0.5), rbf(y, 0.5))  # noqa: E741
    expected = u_statistic(k, l) / np.sqrt(u_statistic(k, k) * u_statistic(l, l))
    assert cka(x, y, kernel=kernel, unbiased=True) == pytest.approx(expected, abs=1e-9)
    assert cka(x, y, kernel=kernel, batch=9) == pytest.approx(expected, abs=1e-9)


def test_minibatches_agree_with_the_whole_and_do_not_flatter_unrelated_noise():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2000, 60))
    y = x[:, :30] @ rng.normal(size=(30, 50)) + 3 * rng.normal(size=(2000, 50))
    assert cka(x, y, batch=64) == pytest.approx(cka(x, y, unbiased=True), abs=0.02)
    noise = rng.normal(size=(64, 60)), rng.normal(size=(64, 60))
    assert cka(*noise) > 0.4 and abs(cka(*noise, unbiased=True)) < 0.1


def test_cka_streams_float32_far_from_zero_without_cancelling(tmp_path):
    rng = np.random.default_rng(5)
    x = (rng.normal(size=(9000, 8)) + 300).astype(np.float32)
    y = (x[:, :4] @ rng.normal(size=(4, 8)) + rng.normal(size=(9000, 8))).astype(np.float32)
    for name, values in (("x", x), ("y", y)):
        np.save(tmp_path / f"{name}.npy", values)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy"]
    for unbiased in (False, True):
        exact = cka(x.astype(float), y.astype(float), unbiased=unbiased)
        assert cka(*mapped, unbiased=unbiased) == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("options", [{"kernel": "rbf"}, {"unbiased": True}])
def test_kernels_are_made_in_blocks_and_never_copy_the_rows(tmp_path, monkeypatch, options):
    """What is held does not grow with the rows: less than six pieces of BLOCK_BYTES and what does not depend on the rows'
    width, and less than one copy in double precision. Of the linear kernel too, where units outnumber rows."""
    import tracemalloc

    from gnomon.analyses.represent import cka as module

    monkeypatch.setattr(module, "BLOCK_BYTES", 2_000_000)
    rng, most = np.random.default_rng(6), {}
    for n in (1000, 1900):
        paths = [tmp_path / f"{name}{n}.npy" for name in "xy"]
        for path in paths:
            np.save(path, rng.normal(size=(n, 2000)).astype(np.float32))
        mapped = [np.load(path, mmap_mode="r") for path in paths]
        tracemalloc.start()
        cka(*mapped, **options)
        most[n] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most[1900] < 1.1 * most[1000] and most[1900] < 6 * 2e6 + 12e6 and most[1900] < 8 * 1900 * 2000


@pytest.mark.parametrize("unbiased", [False, True])
def test_blocks_add_up_to_the_whole_kernel(monkeypatch, unbiased):
    """Blocks that do not divide the rows evenly, of both kernels, equal the definition by whole matrices."""
    from gnomon.analyses.represent import cka as module

    x, y, _ = two(13, n=130)
    wide = np.random.default_rng(1).normal(size=(130, 140))
    whole = [cka(x, y, kernel="rbf", unbiased=unbiased), cka(x, wide, unbiased=unbiased)]
    monkeypatch.setattr(module, "BLOCK", 37)
    assert [cka(x, y, kernel="rbf", unbiased=unbiased), cka(x, wide, unbiased=unbiased)] == pytest.approx(whole, abs=1e-12)
    if not unbiased:
        assert whole[0] == pytest.approx(by_definition(rbf(x, 0.5), rbf(y, 0.5)), abs=1e-9)
        assert whole[1] == pytest.approx(by_definition(x @ x.T, wide @ wide.T), abs=1e-9)


def test_canonical_correlations_are_scikit_learns_and_unmoved_by_invertible_maps():
    from sklearn.cross_decomposition import CCA

    x, y, rng = two(6, n=400, p=4, q=5)
    a, b = CCA(4, scale=False, max_iter=5000, tol=1e-12).fit_transform(x, y)
    expected = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(4)]
    found = svcca(x, y, keep=1)
    assert np.allclose(found.correlations, expected, atol=1e-4)
    mixed = svcca(x @ rng.normal(size=(4, 4)) - 3, y @ rng.normal(size=(5, 5)), keep=1)
    assert np.allclose(found.correlations, mixed.correlations, atol=1e-8)
    assert svcca(x, x @ rng.normal(size=(4, 4)), keep=1).value == pytest.approx(1)


def test_svcca_keeps_the_fewest_directions_that_hold_the_share():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(5000, 4)) * [10, 5, 0.1, 0.1]
    x -= x.mean(axis=0)
    x = np.linalg.qr(x)[0] * np.sqrt([100, 25, 0.01, 0.01])  # variances exactly in these proportions
    assert svcca(x, x, keep=0.79).kept == (1, 1)  # 100 / 125.02 = 0.7999
    assert svcca(x, x, keep=0.8).kept == (2, 2) and svcca(x, x, keep=0.99).kept == (2, 2)
    y = np.column_stack([x[:, 0], rng.normal(size=5000)])
    both = svcca(x[:, :2], y * [1, 5 / 71], keep=1)
    assert both.value == pytest.approx(0.5, abs=0.02) and both.kept == (2, 2)


def test_pwcca_weights_directions_by_what_they_explain_of_x():
    x, y, rng = two(8, n=500, p=5, q=7)
    centre = x - x.mean(axis=0)
    qx, qy = np.linalg.qr(centre)[0], np.linalg.qr(y - y.mean(axis=0))[0]
    left, rho, _ = np.linalg.svd(qx.T @ qy, full_matrices=False)
    alpha = np.abs((qx @ left).T @ centre).sum(axis=1)  # over the rows, as the paper writes it
    found = pwcca(x, y)
    assert found.value == pytest.approx(float((alpha * rho).sum() / alpha.sum()), abs=1e-9)
    assert pwcca(x, y @ rng.normal(size=(7, 7))).value == pytest.approx(found.value, abs=1e-8)
    assert pwcca(x, x).value == pytest.approx(1) and found.weights.sum() == pytest.approx(1)
    assert pwcca(x, y).value != pytest.approx(pwcca(y, x).value, abs=1e-3)


def test_matching_recovers_a_shuffle_of_units():
    x, _, rng = two(9, n=300, p=8)
    order = rng.permutation(8)
    y = (x * rng.uniform(0.5, 2, 8) + 0.3 * rng.normal(size=x.shape))[:, order]
    found = matching(x, y)
    assert all(order[j] == i for i, j in found.pairs)
    assert found.correlations[0] == pytest.approx(np.corrcoef(x.T, y.T)[:8, 8:].max())
    assert found.value > 0.9 and np.all(np.diff(found.correlations) <= 0)
    assert matching(x, -x, signed=False).value == pytest.approx(1) and matching(x, -x).value < 0.3


def test_subspace_matching_finds_the_units_that_span_each_other():
    rng = np.random.default_rng(10)
    base = rng.normal(size=(400, 3))
    x = np.column_stack([base @ rng.normal(size=(3, 3)), rng.normal(size=(400, 2))])
    y = np.column_stack([rng.normal(size=(400, 1)), base @ rng.normal(size=(3, 3))])
    found = subspace_matching(x, y, tolerance=0.1)
    assert found.x.tolist() == [0, 1, 2] and found.y.tolist() == [1, 2, 3] and found.value == 6 / 9
    assert subspace_matching(x, x @ rng.normal(size=(5, 5)), tolerance=0).value == 1
    assert subspace_matching(x[:, 3:], y[:, :1], tolerance=0.3).value == 0
    # |z - projection| / |z| of z = a + 0.5 b on a is 0.5 / sqrt(1.25) = 0.447
    a, b = np.eye(4)[:, :1], np.eye(4)[:, 1:2]
    assert subspace_matching(a + 0.5 * b, a, tolerance=0.45).value == 1
    assert subspace_matching(a + 0.5 * b, a, tolerance=0.44).value == 0


def test_a_tree_of_exactly_tree_like_similarities_is_recovered():
    s = np.array([[1, 0.9, 0.3, 0.3], [0.9, 1, 0.3, 0.3], [0.3, 0.3, 1, 0.7], [0.3, 0.3, 0.7, 1]])
    tree = similarity_tree(s, ["fr", "it", "fi", "hu"])
    assert tree.fidelity == pytest.approx(1)
    assert tree.families(2) == {"fr": 0, "it": 0, "fi": 1, "hu": 1}
    assert np.allclose(tree.joins[:, 2], [0.1, 0.3, 0.7])
    assert tree.newick().count("(") == 3 and "fr:0.05" in tree.newick() and "hu:0.15" in tree.newick()
    assert abs(tree.order.index("fr") - tree.order.index("it")) == 1
    with pytest.raises(InputError, match="symmetric"):
        similarity_tree(s[:3], ["fr", "it", "fi", "hu"])


def test_a_matrix_of_similarities_feeds_the_tree():
    x, y, rng = two(12)
    turned = {"x": x, "x turned": x @ rotation(6, rng), "y": y}
    found = similarity_matrix(turned)
    assert found.values[0, 2] == cka(x, y) and np.allclose(found.values, found.values.T)
    assert similarity_tree(found.values, found.names).families(2) == {"x": 0, "x turned": 0, "y": 1}
    both = similarity_matrix({"x": x}, {"y": y, "x": x}, measure=pwcca)
    assert both.others == ("y", "x") and both.values[0, 0] == pwcca(x, y).value
    assert similarity_matrix({"x": x, "y": y}, measure=pwcca).values[1, 0] == pytest.approx(
        (pwcca(x, y).value + pwcca(y, x).value) / 2)


def test_rows_must_match_and_a_constant_is_like_nothing():
    x, y, _ = two(11)
    for measure in (cka, svcca, pwcca, matching, subspace_matching):
        with pytest.raises(InputError, match="same 2 or more rows"):
            measure(x, y[:-1])
    with pytest.raises(InputError, match="finite"):
        cka(np.where(x > 6, np.nan, x), y)
    flat = np.ones_like(x)
    assert cka(flat, y) == 0 and svcca(flat, y).value == 0 and pwcca(flat, y).value == 0
