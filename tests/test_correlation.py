"""Which correlations are free: against the definition and against the density of LKJ blocks."""

import numpy as np
import pytest

from mnbayes.cards.families import partial_correlation_alpha
from mnbayes.models.correlation import Kind, all_partials, free_partials, partial_alpha
from mnbayes.models.hyperparameters import cholesky_from_unit


def matrices(kind: Kind, n_marker: int, n: int = 500) -> np.ndarray:
    rng = np.random.default_rng(1)
    alpha = partial_alpha(kind, n_marker, 2.0)
    unit = all_partials(rng.beta(alpha, alpha, size=(n, alpha.size)), kind, n_marker)
    factor = cholesky_from_unit(unit, 2 * n_marker)
    return np.asarray(factor @ factor.transpose(0, 2, 1))


@pytest.mark.parametrize("n_marker", [2, 3, 7])
def test_changes_alone_are_correlated(n_marker: int) -> None:
    c = matrices("changes", n_marker)
    baselines = c[:, :n_marker, :]
    np.testing.assert_allclose(
        baselines, np.broadcast_to(np.eye(2 * n_marker)[:n_marker], baselines.shape)
    )
    block = c[:, n_marker:, n_marker:]
    np.testing.assert_allclose(np.diagonal(block, axis1=1, axis2=2), 1.0)
    below = block[:, *np.tril_indices(n_marker, -1)]
    assert (below.std(axis=0) > 0.1).all()


@pytest.mark.parametrize("n_marker", [1, 2, 5])
def test_within_pairs_a_marker_with_itself_only(n_marker: int) -> None:
    c = matrices("within", n_marker)
    own = c[:, np.arange(n_marker), n_marker + np.arange(n_marker)]
    assert (own.std(axis=0) > 0.1).all()
    others = c.copy()
    k = np.arange(n_marker)
    others[:, k, n_marker + k] = others[:, n_marker + k, k] = 0.0
    np.testing.assert_allclose(others, np.broadcast_to(np.eye(2 * n_marker), c.shape), atol=1e-12)


@pytest.mark.parametrize(("kind", "size"), [("all", 6), ("changes", 3), ("within", 2)])
def test_every_correlation_of_a_block_has_the_marginal_of_lkj(kind: Kind, size: int) -> None:
    """A correlation of LKJ(eta) of size n is Beta on (-1, 1) with eta - 1 + n / 2: its variance."""
    c = matrices(kind, 3, n=40_000)
    first = {"all": (1, 0), "changes": (4, 3), "within": (3, 0)}[kind]
    last = {"all": (5, 4), "changes": (5, 4), "within": (5, 2)}[kind]
    alpha = 2.0 - 1.0 + size / 2
    expected = 1.0 / (2.0 * alpha + 1.0)
    for i, j in (first, last):
        draws = c[:, i, j]
        assert draws.var() == pytest.approx(expected, abs=5 * expected * np.sqrt(2 / 40_000))


def test_all_is_every_partial_correlation() -> None:
    assert free_partials("all", 2).tolist() == list(range(6))
    assert free_partials("changes", 2).tolist() == [5]
    assert free_partials("within", 2).tolist() == [1, 4]
    assert partial_alpha("all", 2, 2.0).tolist() == partial_correlation_alpha(2.0, 4).tolist()
    unit = np.array([[0.7]])
    assert all_partials(unit, "changes", 2).tolist() == [[0.5] * 5 + [0.7]]
