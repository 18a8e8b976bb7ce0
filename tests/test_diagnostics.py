"""The table of diagnostics and the gate, against ArviZ's labelled functions and by hand."""

import arviz as az
import numpy as np
import pytest
import xarray as xr

from mnbayes.inference.diagnostics import diagnose, parameter_table


def posterior(shift: float = 0.0) -> xr.Dataset:
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(4, 500, 2))
    draws[0] += shift
    coords = {"marker": ["albumin", "cd3"]}
    return xr.Dataset(
        {"a": (("chain", "draw", "marker"), draws), "b": (("chain", "draw"), draws[..., 0] ** 2)},
        coords=coords,
    )


def stats(divergences: int = 0, energy: np.ndarray | None = None) -> xr.Dataset:
    diverging = np.zeros((4, 500), dtype=bool)
    diverging.flat[:divergences] = True
    noise = np.random.default_rng(2).normal(size=(4, 500)) if energy is None else energy
    dims = ("chain", "draw")
    return xr.Dataset({"diverging": (dims, diverging), "energy": (dims, noise)})


def test_table_is_arviz_s_summary() -> None:
    ours = parameter_table(posterior()).set_index("parameter")
    theirs = az.summary(posterior(), kind="all", ci_prob=0.95, ci_kind="eti", round_to="none")
    assert ours.index.tolist() == theirs.index.tolist() == ["a[albumin]", "a[cd3]", "b"]
    theirs = theirs.rename(columns={"r_hat": "rhat"})
    # Tail ESS is that of the 5 % and 95 % quantiles; the summary takes its interval's.
    tail = az.ess(posterior(), method="tail", prob=(0.05, 0.95))
    np.testing.assert_allclose(ours["ess_tail"], [*tail["a"].to_numpy(), float(tail["b"])])
    for column in ours.columns.drop("ess_tail"):
        np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-9)


def test_a_missing_draw_is_no_number() -> None:
    draws = posterior()
    draws["a"][1, 7, 0] = np.nan
    table = parameter_table(draws).set_index("parameter")
    assert table.loc["a[albumin]", ["rhat", "ess_bulk", "ess_tail"]].isna().all()
    assert not diagnose(parameter_table(draws), stats()).converged


def test_energy_fraction_is_arviz_s() -> None:
    tree = xr.DataTree.from_dict({"sample_stats": stats()})
    expected = min(np.min(v) for v in az.bfmi(tree).data_vars.values())
    checked = diagnose(parameter_table(posterior()), stats())
    assert checked.worst_bfmi == pytest.approx(float(expected))


def test_independent_draws_pass() -> None:
    checked = diagnose(parameter_table(posterior()), stats())
    assert checked.converged
    assert checked.divergences == 0


@pytest.mark.parametrize(
    ("shift", "divergences", "energy", "reason"),
    [
        (0.0, 1, None, "1 divergent transition"),
        (0.0, 2, None, "2 divergent transitions"),
        (3.0, 0, None, "R-hat"),
        (3.0, 0, None, "effective sample size"),
        (0.0, 0, np.cumsum(np.ones((4, 500)), axis=1), "E-BFMI"),
    ],
)
def test_each_failure_has_its_reason(
    shift: float, divergences: int, energy: np.ndarray | None, reason: str
) -> None:
    checked = diagnose(parameter_table(posterior(shift)), stats(divergences, energy))
    assert not checked.converged
    assert any(reason in text for text in checked.reasons)


def test_a_missing_diagnostic_never_passes() -> None:
    broken = posterior()
    broken["b"][:] = np.nan
    assert not diagnose(parameter_table(broken), stats()).converged
