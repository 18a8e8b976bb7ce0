"""ArviZ on the files that a run stores: with the file alone where ArviZ needs no more."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import arviz_plots as azp
import arviz_stats as azs
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from mnbayes.analyses.withdrawal.unseen import withdrawal_draws
from mnbayes.answers.categories import classify, judge
from mnbayes.answers.response_draws import response_draws
from mnbayes.cards.card import load_card
from mnbayes.cards.definitions import Definitions
from mnbayes.data.cohort import Cohort
from mnbayes.data.markers import shipped_markers
from mnbayes.inference.contract import correlated_pairs, correlation_matrix, recorded
from mnbayes.inference.fit import Fit, Sampling, fit
from mnbayes.models import effects as fx
from mnbayes.models.hyperparameters import Hyperparameters
from mnbayes.report.arviz_pictures import DIAGNOSTIC, calls, write_arviz_pictures
from mnbayes.run.outputs import write_tree

#: Functions of arviz_plots that need the file alone.
ALONE = (
    *("plot_autocorr", "plot_convergence_dist", "plot_dist", "plot_energy", "plot_ess"),
    *("plot_ess_evolution", "plot_forest", "plot_loo_interval", "plot_loo_pit", "plot_mcse"),
    *("plot_parallel", "plot_ppc_censored", "plot_ppc_dist", "plot_ppc_interval"),
    *("plot_ppc_pava", "plot_ppc_pit", "plot_ppc_tstat", "plot_prior_posterior"),
    *("plot_rank", "plot_rank_dist", "plot_ridge", "plot_trace", "plot_trace_dist"),
)
#: Functions that draw two panels or more for each parameter, of which ArviZ draws forty.
SCALING = ("plot_psense_dist", "plot_psense_quantities")
#: One parameter of each marker, for models of many.
ONE = {"var_names": ["change_mean"]}
#: Predictive checks of ArviZ, which need none of it.
CHECKS = (
    *("plot_ppc_dist", "plot_ppc_pit", "plot_ppc_tstat", "plot_ppc_interval", "plot_ppc_pava"),
    *("plot_ppc_censored", "plot_loo_pit", "plot_loo_interval", "plot_energy"),
)

pytestmark = [
    # The stored draws say so themselves; what they say is looked at below.
    pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto:UserWarning"),
]


@pytest.fixture(autouse=True)
def drawn_off_screen() -> Iterator[None]:
    with mpl.rc_context():
        mpl.use("agg")
        azp.style.use("arviz-variat")
        yield
        plt.close("all")


def _stored(fitted: Fit, folder: Path) -> xr.DataTree:
    write_tree(fitted.tree, folder, fitted.card.name)
    return xr.open_datatree(folder / f"{fitted.card.name}.nc", engine="h5netcdf")


@pytest.fixture(scope="module")
def files(
    proteinuria: Fit, remission: Fit, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, xr.DataTree]:
    folder = tmp_path_factory.mktemp("posterior")
    return {each.card.name: _stored(each, folder) for each in (proteinuria, remission)}


@pytest.fixture(scope="module")
def some(files: dict[str, xr.DataTree]) -> dict[str, xr.DataTree]:
    """A quarter of the draws: whether a function runs does not hang on their number."""
    return {name: tree.isel(draw=slice(None, None, 4)) for name, tree in files.items()}


@pytest.fixture(scope="module")
def subsets(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> xr.DataTree:
    how = Sampling(draws=250, seed=1, engine="collapsed")
    fitted = fit(load_card("lymphocytes"), cohort, how)
    return _stored(fitted, tmp_path_factory.mktemp("posterior"))


@pytest.mark.parametrize("model", ["proteinuria", "remission"])
@pytest.mark.parametrize("name", ALONE)
def test_plots_need_the_file_alone(some: dict[str, xr.DataTree], name: str, model: str) -> None:
    collection = getattr(azp, name)(some[model])
    figure = collection.viz["figure"].item()
    if model == "proteinuria":
        figure.set_layout_engine("none")  # to make room for thirty panels takes most of the time
        figure.canvas.draw()
    assert any(axes.has_data() for axes in figure.axes)


@pytest.mark.parametrize("name", SCALING)
def test_power_scaling_of_a_model_of_one_marker_needs_the_file_alone(
    some: dict[str, xr.DataTree], name: str
) -> None:
    getattr(azp, name)(some["proteinuria"])


@pytest.mark.parametrize("name", SCALING)
def test_power_scaling_of_more_is_asked_for_by_name(
    some: dict[str, xr.DataTree], subsets: xr.DataTree, name: str
) -> None:
    with pytest.raises(ValueError, match="max_subplots"):
        getattr(azp, name)(some["remission"])
    for tree in (some["remission"], subsets):
        getattr(azp, name)(tree, **ONE)


@pytest.mark.parametrize("model", ["proteinuria", "remission"])
def test_pairs_are_asked_for_by_name(some: dict[str, xr.DataTree], model: str) -> None:
    azp.plot_pair(some[model], var_names=["change_mean", "change_sd"])
    azp.plot_pair_focus(
        some[model],
        focus_var="change_mean",
        focus_var_coords={"marker": "urine_protein_24h"},
        var_names=["change_sd", "visit_sd"],
    )


@pytest.mark.parametrize("name", [n for n in ALONE if n not in CHECKS])
def test_plots_of_many_markers_take_names(subsets: xr.DataTree, name: str) -> None:
    getattr(azp, name)(subsets, **ONE)


@pytest.mark.parametrize("name", [n for n in CHECKS if n != "plot_energy"])
def test_checks_of_many_markers_need_the_file_alone(subsets: xr.DataTree, name: str) -> None:
    getattr(azp, name)(subsets)  # the collapsed engine has no energy


def test_checks_can_be_made_of_the_prior_too(some: dict[str, xr.DataTree]) -> None:
    azp.plot_ppc_dist(some["remission"], group="prior_predictive")


@pytest.mark.parametrize("model", ["proteinuria", "remission"])
def test_statistics_need_the_file_alone(files: dict[str, xr.DataTree], model: str) -> None:
    tree = files[model]
    table = azs.summary(tree, round_to="none")
    assert table["r_hat"].max() < 1.01  # no constant among them, so no NaN either
    assert table.notna().all(axis=None)
    left_out = azs.loo(tree, pointwise=True)
    assert left_out.n_data_points == tree["observed_data"].sizes["observation"]
    azp.plot_khat(left_out)
    pit = azs.loo_pit(tree)["measurement"]
    assert bool(((pit >= 0) & (pit <= 1)).all())
    scaled = azs.psense_summary(tree)
    assert scaled.index.tolist() == table.index.tolist()
    failed, _ = azs.diagnose(tree, show_diagnostics=False, return_diagnostics=True)
    assert not failed


def test_models_of_the_same_measurements_are_compared(
    files: dict[str, xr.DataTree], cohort: Cohort, proteinuria: Fit
) -> None:
    other = fit(proteinuria.card, cohort, Sampling(seed=2, engine="collapsed"))
    pair = {"one": azs.loo(files["proteinuria"]), "other": azs.loo(other.tree)}
    azp.plot_compare(azs.compare(pair))


# What the tree says


def test_tree_says_what_it_is(files: dict[str, xr.DataTree]) -> None:
    said = files["remission"].attrs
    assert "SYNTHETIC" in said["title"]
    assert (said["synthetic"], said["card"], said["seed"]) == (1, "remission", 1)
    assert (said["converged"], said["not_converged_because"]) == (1, "")
    assert said["engine"] == "nuts"
    assert "pymc 6" in said["versions"]


def test_every_variable_has_its_unit_and_scale(files: dict[str, xr.DataTree]) -> None:
    groups = ("posterior", "patients", "predictions", "prior", "observed_data")
    for group in groups:
        for name, array in files["remission"][group].data_vars.items():
            assert array.attrs["scale"] in ("log", "linear"), name
    attrs = files["proteinuria"]["posterior"]["baseline_mean"].attrs
    assert attrs == {"units": "log g/24h", "scale": "log"}
    both = files["remission"]["patients"]["level"].attrs["units"]
    assert both == "urine_protein_24h: log g/24h, albumin: log g/L"


def test_correlations_are_the_free_ones(
    files: dict[str, xr.DataTree], subsets: xr.DataTree
) -> None:
    assert files["proteinuria"]["posterior"]["pair"].to_numpy().tolist() == ["baseline ~ change"]
    pairs = correlated_pairs(files["remission"]["posterior"].to_dataset())
    assert len(pairs) == len({frozenset(pair) for pair in pairs}) == 6
    assert ("urine_protein_24h baseline", "albumin change") in pairs
    own = correlated_pairs(subsets["posterior"].to_dataset())
    assert [(a.split()[0], a.split()[1], b.split()[1]) for a, b in own] == [
        (marker, "baseline", "change") for marker in ("cd3", "cd4", "cd8", "b_cell", "nk_cell")
    ]
    effects = [name for pair in own for name in pair]
    matrix = correlation_matrix(subsets["posterior"].to_dataset(), effects)
    assert np.linalg.eigvalsh(matrix).min() > 0
    np.testing.assert_array_equal(np.diagonal(matrix, axis1=-2, axis2=-1), 1.0)


@pytest.mark.parametrize("group", ["posterior", "prior"])
def test_next_patient_of_the_tables_is_the_tree_s(
    files: dict[str, xr.DataTree], definitions: Definitions, group: str
) -> None:
    tree = files["remission"]
    places = {"posterior": "predictions", "prior": "prior_predictions"}
    new = tree[places[group]]["new_measurement"]
    protein, albumin = (new.sel(marker=m).to_numpy() for m in ("urine_protein_24h", "albumin"))
    levels = {"urine_protein_24h": protein, "albumin": albumin}
    first, later = ({k: v[..., at] for k, v in levels.items()} for at in (np.s_[:1], np.s_[1:]))
    met = classify(judge(definitions, tuple(levels), shipped_markers()), first, later)
    of_tables = getattr(response_draws(tree, definitions, 1), group).next_patient.categories
    np.testing.assert_array_equal(of_tables["remission"], met["remission"])


def test_next_patient_is_the_same_where_other_markers_join(files: dict[str, xr.DataTree]) -> None:
    rng = np.random.default_rng(1)
    count, weeks = 50, np.array([0.0, 1.0, 4.0])
    root = rng.normal(size=(count, 6, 6))
    correlation = root @ root.transpose(0, 2, 1)
    size = np.sqrt(np.diagonal(correlation, axis1=1, axis2=2))
    correlation /= size[:, :, None] * size[:, None]

    def parameters(markers: list[int]) -> Hyperparameters:
        at = [*markers, *(3 + k for k in markers)]
        fixed = np.random.default_rng(2)
        of = {name: fixed.random((count, 3))[:, markers] for name in "abcd"}
        return Hyperparameters(
            baseline_mean=of["a"],
            visit_change=np.stack([of["b"], of["c"]], axis=1),
            slope=np.zeros_like(of["a"]),
            baseline_sd=of["b"],
            change_sd=of["c"],
            residual_sd=of["d"],
            cholesky=np.linalg.cholesky(correlation[:, at][:, :, at]),
            serial_sd=np.zeros_like(of["a"]),
            serial_weeks=np.ones(count),
            residual_df=np.full(count, np.inf),
        )

    small = fx.next_patient(parameters([2, 0]), weeks, [0, 1], np.random.default_rng(3))
    large = fx.next_patient(parameters([0, 1, 2]), weeks, [2, 0], np.random.default_rng(3))
    for one, other in zip(small, large, strict=True):
        np.testing.assert_allclose(other[..., [2, 0]], one)


def test_next_patient_has_the_law_of_the_model() -> None:
    count = 40_000
    one = np.ones((count, 1))
    factor = np.broadcast_to([[1.0, 0.0], [0.6, 0.8]], (count, 2, 2))
    parameters = Hyperparameters(
        baseline_mean=2 * one,
        visit_change=np.tile([[-1.0], [-2.0]], (count, 1, 1)),
        slope=0 * one,
        baseline_sd=one,
        change_sd=0.5 * one,
        residual_sd=0.2 * one,
        cholesky=factor,
        serial_sd=0.4 * one,
        serial_weeks=np.full(count, 3.0),
        residual_df=np.full(count, np.inf),
    )
    weeks = np.array([0.0, 1.0, 4.0])
    level, measured = fx.next_patient(parameters, weeks, [0], np.random.default_rng(1))
    np.testing.assert_allclose(level.mean(axis=0)[:, 0], [2.0, 1.0, 0.0], atol=0.03)
    later = (weeks > 0).astype(float)
    design = np.stack([np.ones(3), later], axis=1)
    effects = np.array([[1.0, 0.3], [0.3, 0.25]])
    serial = 0.16 * np.exp(-np.abs(weeks[:, None] - weeks) / 3.0)
    expected = design @ effects @ design.T + serial
    np.testing.assert_allclose(np.cov(level[..., 0].T), expected, atol=0.04)
    np.testing.assert_allclose((measured - level).std(axis=0), 0.2, rtol=0.03)


def test_a_censored_value_is_observed_at_its_limit(cohort: Cohort) -> None:
    rows = cohort.measurements.copy()
    protein = rows.index[rows["marker"] == "urine_protein_24h"]
    for row, lower, upper in ((0, 0.0, 0.3), (1, 5.0, np.inf), (2, 1.0, 4.0)):
        rows.loc[protein[row], ["value", "lower", "upper"]] = [np.nan, lower, upper]
    card = load_card("proteinuria")
    fitted = fit(card, replace(cohort, measurements=rows), Sampling(draws=100, tune=200, seed=1))
    tree = fitted.tree
    observed = np.exp(tree["observed_data"]["measurement"].to_numpy()[:3])
    np.testing.assert_allclose(observed, [0.3, 5.0, 2.0])
    assert tree["constant_data"]["measurement"].to_numpy()[:4].tolist() == [0, 0, 0, 1]
    table = recorded(tree).sel(marker="urine_protein_24h")
    for name in ("log_value", "log_upper"):
        own = getattr(fitted.observations, name)[..., 0]
        np.testing.assert_array_equal(table[name].to_numpy(), own)
    azp.plot_ppc_censored(tree)
    assert np.isfinite(withdrawal_draws(tree).measured[..., 0, 0, 0]).all()


# A run's pictures


def test_a_run_s_pictures_are_those_of_a_workflow(
    some: dict[str, xr.DataTree], subsets: xr.DataTree, tmp_path: Path
) -> None:
    drawn: dict[str, Callable[[], Any]] = calls(some["proteinuria"])
    assert len(drawn) == 13
    assert set(DIAGNOSTIC) <= set(drawn)
    write_arviz_pictures(some["proteinuria"], tmp_path / "all")
    write_arviz_pictures(subsets, tmp_path / "withheld", withheld=True)
    written = sorted(path.stem for path in (tmp_path / "all").iterdir())
    assert written == sorted(drawn)
    held = sorted(path.stem for path in (tmp_path / "withheld").iterdir())
    assert held == ["03_rank", "05_convergence"]  # the collapsed engine has no energy
    for path in (tmp_path / "all").iterdir():
        assert "SYNTHETIC" in path.read_text(encoding="utf-8")


def test_pictures_leave_settings_and_warnings_as_they_were(
    some: dict[str, xr.DataTree], tmp_path: Path
) -> None:
    before, filters = dict(mpl.rcParams), list(warnings.filters)
    write_arviz_pictures(some["proteinuria"], tmp_path / "all", withheld=True)
    assert dict(mpl.rcParams) == before
    assert list(warnings.filters) == filters
