"""Markers as data: scales, a cohort's own catalogue through a fit and back, and any text."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import runs
import xarray as xr
from conftest import simulate_cohort
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import mnbayes as mn
from mnbayes.analyses.influence import refits
from mnbayes.answers.conclusions import as_reported
from mnbayes.cards.card import made_card, parse_card
from mnbayes.cards.definitions import load_definitions
from mnbayes.data.markers import (
    Catalogue,
    Marker,
    beyond_shipped,
    catalogue_of,
    load_markers,
    said_of,
    shipped_markers,
)
from mnbayes.data.observations import observations
from mnbayes.inference.contract import MARKERS_SAID, catalogue, level, recorded
from mnbayes.models.longitudinal import statement
from mnbayes.report.kit.measured import measured
from mnbayes.studies.simulated_cohorts import Simulated, simulate_cohorts

FACTOR = Marker(
    name="factor",
    label="Factor of nobody",
    short="factor",
    unit="g/L",
    better="higher",
    plausible=(1.0, 100.0),
    possible=(0.1, 1000.0),
    typical=10.0,
    between_sd=0.3,
    within_sd=0.1,
)
SHARE = "cd4_percent"
WEEKS = (0.0, 1.0, 4.0)


def own() -> Catalogue:
    return {**shipped_markers(), "factor": FACTOR}


def simulated(*markers: str, patients: int = 6) -> Simulated:
    rng = np.random.default_rng(2)
    return simulate_cohorts(made_card(markers, own()), patients, WEEKS, 1, rng)[0]


@pytest.fixture(scope="module")
def fitted() -> mn.Fit:
    """Two markers that no shipped card has, one a percentage, one of nobody."""
    cohort = simulated("factor", SHARE).cohort
    how = mn.Sampling(engine="collapsed", draws=300, seed=3)
    return mn.fit(made_card(["factor", SHARE], own()), cohort, how)


# Scales


@given(st.floats(1e-3, 99.999))
def test_scales_turn_round(value: float) -> None:
    for name in ("albumin", SHARE):
        marker = shipped_markers()[name]
        there = marker.on_scale(np.array(value))
        np.testing.assert_allclose(marker.in_units(there), value, rtol=1e-9)


def test_scales_are_log_and_logit() -> None:
    values, known = np.array([0.5, 20.0, 50.0, 99.0]), shipped_markers()
    np.testing.assert_allclose(known["albumin"].on_scale(values), np.log(values))
    np.testing.assert_allclose(known[SHARE].on_scale(values), special.logit(values / 100))
    # The ends of a censored value that is open.
    np.testing.assert_array_equal(
        known[SHARE].on_scale(np.array([0.0, 100.0, np.inf])), [-np.inf, np.inf, np.inf]
    )
    np.testing.assert_array_equal(known["crp"].on_scale(np.array([0.0, np.inf])), [-np.inf, np.inf])


def test_observations_are_on_each_marker_s_scale_bounds_as_well() -> None:
    cohort = simulated("factor", SHARE).cohort
    table = cohort.measurements.copy()
    at = table.index[(table["marker"] == SHARE) & (table["week"] == 1.0)][0]
    table.loc[at, ["value", "lower", "upper"]] = [np.nan, 10.0, 30.0]
    data = observations(made_card(["factor", SHARE], own()), replace(cohort, measurements=table))
    assert data.odds
    assert data.log_lower[0, 1, 1] == pytest.approx(special.logit(0.1))
    assert data.log_upper[0, 1, 1] == pytest.approx(special.logit(0.3))
    rows = table[table["value"].notna()].groupby("marker", sort=False)["value"]
    found = data.log_value
    np.testing.assert_allclose(
        found[..., 0][np.isfinite(found[..., 0])], np.log(rows.get_group("factor"))
    )
    np.testing.assert_allclose(
        found[..., 1][np.isfinite(found[..., 1])], special.logit(rows.get_group(SHARE) / 100)
    )


def test_the_statement_of_a_percentage_is_that_of_its_logits() -> None:
    """The model of a percentage is, cell for cell, a plain one that is given logits."""
    cohort, card = simulated(SHARE).cohort, made_card(SHARE, own())
    share = statement(card, observations(card, cohort))
    table = cohort.measurements
    logits = special.logit(table["value"].to_numpy() / 100)
    # The same numbers as the logarithms of another marker, the priors untouched.
    renamed = table.assign(marker="factor", value=np.exp(logits), unit="g/L")
    logs = replace(cohort, measurements=renamed, catalogue=own())
    plain = made_card("factor", own())
    given_priors = {
        name: {
            "factor" if key else "": card.prior[name][SHARE if key else ""]
            for key in plain.prior[name]
        }
        for name in plain.prior
    }
    plain = plain.model_copy(update={"prior": given_priors})
    as_logs = statement(plain, observations(plain, logs))
    point = share.initial_point()
    both = [model.compile_logp(mode="FAST_COMPILE")(point) for model in (share, as_logs)]
    assert both[0] == pytest.approx(both[1], abs=1e-8)
    with share:
        assert pm.draw(share["measurement"], mode="FAST_COMPILE", random_seed=1).size == logits.size


# A cohort's own markers, through a fit and back


def test_the_draws_carry_their_markers(fitted: mn.Fit, tmp_path: Path) -> None:
    assert fitted.catalogue["factor"] == FACTOR
    assert mn.summarise(fitted).catalogue["factor"] == FACTOR
    path = tmp_path / "draws.nc"
    fitted.tree.to_netcdf(path, engine="h5netcdf")
    with xr.open_datatree(path, engine="h5netcdf") as again:
        assert catalogue(again)["factor"] == FACTOR
    bare = fitted.tree.copy()
    del bare.attrs[MARKERS_SAID]
    assert catalogue(bare) == shipped_markers()
    units = fitted.tree["patients"]["level"].attrs["units"]
    assert units == f"factor: log g/L, {SHARE}: logit %"


def test_a_card_carries_the_markers_that_mnbayes_does_not_bring() -> None:
    card = made_card("factor", own())
    assert card.catalogue["factor"] == FACTOR
    again = pickle.loads(pickle.dumps(card))
    assert again == card
    data = card.model_dump(mode="json", by_alias=True)
    assert parse_card(data, "card") == card
    changed = mn.with_priors(card, settings=["baseline_mean.sigma=0.2", "change_mean=90% below 2"])
    assert changed.catalogue["factor"] == FACTOR
    with pytest.raises(mn.InputError, match="markers must be different names"):
        parse_card({key: value for key, value in data.items() if key != "defined"}, "card")


def test_a_shipped_card_says_nothing_of_its_markers() -> None:
    card = mn.load_card("remission")
    assert "defined" not in card.model_dump()
    assert card.among(own()) is card
    relabelled = {**own(), "albumin": own()["albumin"].model_copy(update={"label": "Albumin"})}
    there = card.among(relabelled)
    assert there.catalogue["albumin"].label == "Albumin"
    assert there.priors_sha256 == card.priors_sha256
    assert there.sha256 != card.sha256


def test_the_answers_are_odds_ratios_and_levels_in_percent(fitted: mn.Fit) -> None:
    result = mn.summarise(fitted, allow_unconverged=True)
    values = level(fitted.tree, "posterior").sel(marker=SHARE)
    assert float(abs(values).max()) < 8  # logits, not percentages
    cells = recorded(fitted.tree)["log_value"].sel(marker=SHARE, patient="S001").to_numpy()
    rows = fitted.cohort.measurements.query("patient == 'S001' and marker == @SHARE")
    np.testing.assert_allclose(special.expit(cells), rows["value"] / 100)
    data = measured(result, SHARE)
    np.testing.assert_allclose(data.value[0], rows["value"])
    change = fitted.tree["posterior"]["visit_change"].sel(marker=SHARE, later_visit=4.0)
    row = result.estimates.query("marker == @SHARE and week == 4").iloc[0]
    assert row["gmr_median"] == pytest.approx(float(np.exp(change.median())))
    checks = result.parts["checks"].left_out.table
    own_rows = checks[(checks["marker"] == SHARE) & (checks["by"] == "measurement")]
    assert own_rows[["value", "lower", "upper"]].to_numpy().max() < 100
    np.testing.assert_allclose(np.sort(own_rows["value"]), np.sort(data.value.ravel()))
    assert "odds ratio" in repr(result)


def test_an_own_marker_is_judged_in_every_figure_and_refit(
    fitted: mn.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = load_definitions("fall_by_half").of_markers(own(), {}, "factor")
    result = mn.summarise(fitted, definitions, allow_unconverged=True)
    assert result.evaluable == definitions.categories
    drawn = runs.all_figures(result, definitions, False)
    assert {"arrows", "response_probabilities"} <= set(drawn)
    passed = replace(fitted, diagnostics=runs.GOOD)
    monkeypatch.setattr(refits, "fit", lambda *_: passed)
    assert fitted.card is not None
    assert fitted.cohort is not None
    again = refits.refit_without(
        fitted.card, fitted.cohort, definitions, fitted.sampling, "S001", 5
    )
    assert isinstance(again, pd.DataFrame)
    # The same draws, so the same answers: the tree of a refit is read by the same catalogue.
    keys = ["kind", "marker", "category", "patient", "week"]
    both = result.answers.merge(again, on=keys, suffixes=("", "_again"))
    assert len(both) == len(result.answers) > 0
    np.testing.assert_allclose(both["value"], both["value_again"])


def test_draws_follow_a_model_that_is_not_ours() -> None:
    """A percentage against a plain regression of its logits in PyMC, written here."""
    cohort = simulated(SHARE, patients=8).cohort
    fitted = mn.fit(made_card(SHARE, own()), cohort, mn.Sampling(engine="collapsed", seed=4))
    table = cohort.measurements.assign(y=special.logit(cohort.measurements["value"] / 100))
    y = table.pivot_table(index="patient", columns="week", values="y").to_numpy()
    change = y[:, -1] - y[:, 0]
    draws = fitted.tree["posterior"]["visit_change"].sel(marker=SHARE, later_visit=WEEKS[-1])
    # The priors are wide against eight patients: the mean of the differences, within its error.
    error = change.std(ddof=1) / np.sqrt(len(change))
    assert float(draws.mean()) == pytest.approx(change.mean(), abs=1.0 * error)
    assert float(draws.std()) == pytest.approx(error, rel=0.6)


def test_which_direction_is_better_is_the_marker_s() -> None:
    table = pd.DataFrame({"kind": "p_fall", "marker": ["upcr", "egfr", "factor"], "value": 0.9})
    found = as_reported(table, ["value"], own())
    assert found["kind"].tolist() == ["p_fall", "p_rise", "p_rise"]
    np.testing.assert_allclose(found["value"], [0.9, 0.1, 0.1])


# The file


def test_every_shipped_number_has_a_source() -> None:
    needed = ("plausible", "possible", "typical", "between_sd", "within_sd")
    for marker in shipped_markers().values():
        given_fields = {*needed, *(k for k in ("reference", "patients") if getattr(marker, k))}
        assert given_fields <= set(marker.source), marker.name
        assert set(marker.source) <= set(Marker.model_fields), marker.name


def test_a_folder_s_file_adds_and_changes(tmp_path: Path) -> None:
    path = tmp_path / "markers.toml"
    path.write_text('[albumin]\nlabel = "Albumin"\n[albumin.source]\nlabel = "ours"\n')
    known = load_markers(path)
    old = shipped_markers()["albumin"]
    assert known["albumin"].label == "Albumin"
    assert known["albumin"].typical == old.typical
    assert known["albumin"].source == old.source | {"label": "ours"}
    assert list(beyond_shipped(known, known)) == ["albumin"]
    assert catalogue_of(said_of(known, ["albumin"]), "x")["albumin"] == known["albumin"]


PIECES = st.sampled_from(
    [
        *("[albumin]", "[new]", "[new.source]", "[[new]]", "x", "label = 'A'", "short = 'a'"),
        *("unit = 'g/L'", "unit = '%'", "scale = 'logit'", "scale = 3", "better = 'up'"),
        *("plausible = [1.0, 2.0]", "possible = [0.5, 3.0]", "plausible = [2.0, 1.0]"),
        *("typical = 1.5", "typical = nan", "between_sd = 0.2", "within_sd = -1.0", "decimals = 1"),
        *("reference = { upper = 3.0, coverage = 0.95, population = 'a' }", "patients = 3"),
        *("reference = { coverage = 2.0 }", "patients = { lower = 2.0, upper = 1.0, why = 'w' }"),
        *("spellings = { 'mg' = 0.001 }", "typical = 1979-05-27", "source = 1", "[albumin.source]"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.lists(PIECES, max_size=14).map("\n".join), st.text(max_size=60)))
def test_any_text_is_a_catalogue_or_a_message(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("markers") / "markers.toml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        known = load_markers(path)
    except mn.InputError:
        return
    assert set(shipped_markers()) <= set(known)
    for marker in known.values():
        assert np.isfinite(marker.on_scale(np.array(marker.typical)))


def test_a_cohort_of_markers_that_are_shipped_is_what_it_was() -> None:
    assert simulate_cohort(3).catalogue is shipped_markers()


def test_the_page_has_every_marker_as_the_command_prints_it() -> None:
    page = (Path(__file__).parents[1] / "docs" / "markers.md").read_text(encoding="utf-8")
    for name, marker in shipped_markers().items():
        low, high = marker.plausible
        row = (
            f"| `{name}` | {marker.unit} | {marker.scale} | {marker.better} | {low:g} to {high:g} |"
        )
        assert row in page
        assert f"| {marker.typical:g} | {marker.between_sd:g} | {marker.within_sd:g} |" in page


def test_the_page_s_own_marker_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "markers.md").read_text(encoding="utf-8")
    (tmp_path / "markers.toml").write_text(page.split("```toml\n")[1].split("```")[0])
    known = load_markers(tmp_path / "markers.toml")
    assert known["kim1"].falls
    reference = known["albumin"].reference
    assert reference is not None
    assert reference.ends == (34.0, 48.0)
    assert made_card("kim1", known).catalogue["kim1"] == known["kim1"]
