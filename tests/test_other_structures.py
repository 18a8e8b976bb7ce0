"""Structures that the program does not have: another integration, and what it says of ours."""

import json

import numpy as np
import pytest
from conftest import script
from scipy import stats

from mnbayes.studies.rerun import first_replicates, moved

made = script("other_structures")
STORED = json.loads(made.REFERENCE.read_text(encoding="utf-8"))
AGAIN = "run `python scripts/other_structures.py`"


@pytest.mark.parametrize("name", made.STRUCTURES)
def test_its_first_replicates_have_the_same_numbers_again(name: str) -> None:
    again = first_replicates(made.study_of(name, made.trajectory.FIRST), made.trajectory.FIRST)
    assert moved(STORED["first"][name], again) == [], AGAIN


def test_the_page_shows_it() -> None:
    page = made.trajectory.PAGE.read_text(encoding="utf-8")
    assert made.filled(page, STORED) == page, AGAIN


def test_the_likelihood_is_that_of_all_measurements_at_once() -> None:
    """Integrated patient by patient, or as one normal vector of every measurement."""
    rng = np.random.default_rng(3)
    structure = made.STRUCTURES["and own lines, HalfNormal(0.25)"]
    drawn = structure.parameters(rng.standard_normal((4, len(structure.names))))
    above = rng.standard_normal((3, 5))
    above[1, 3:] = np.nan
    found = made.given(structure, drawn, above)
    mean, own = structure.mean(drawn) + made.ROUNDING, structure.own(drawn)
    seen = np.isfinite(above).ravel()
    expected, at_last = [], []
    for d in range(4):
        levels = np.kron(np.ones((3, 3)), mean[d]) + np.kron(np.eye(3), own[d])
        whole = levels + drawn["residual_sd"][d] ** 2 * np.eye(15)
        whole = whole[np.ix_(seen, seen)]
        expected.append(stats.multivariate_normal(cov=whole).logpdf(above.ravel()[seen]))
        shared = np.kron(np.ones((1, 3)), mean[d])[:, seen]
        at_last.append(shared @ np.linalg.solve(whole, above.ravel()[seen]))
    difference = np.array(expected) - found.log_likelihood
    np.testing.assert_allclose(difference - difference[0], 0, atol=1e-8)  # up to a constant
    np.testing.assert_allclose(found.mean, at_last, atol=1e-8)


@pytest.mark.parametrize(("trajectory", "name"), [("step", made.STEP), ("drift", made.SHIPPED)])
def test_the_program_has_the_same_rates_by_its_own_density(trajectory: str, name: str) -> None:
    """The same 500 cohorts a scenario, other draws: the rates differ by their noise alone."""
    program = json.loads(made.trajectory.REFERENCE.read_text(encoding="utf-8"))
    for scenario in made.trajectory.SCENARIOS:
        ours, theirs = (
            stored["rates"][n][scenario] for stored, n in ((program, trajectory), (STORED, name))
        )
        for rate in (
            "covered_95",
            "covered_80",
            "wrong_effective",
            "true_effective",
            "gmr_coverage",
        ):
            error = max(ours[f"{rate}_mcse"], theirs[f"{rate}_mcse"])
            assert abs(ours[rate] - theirs[rate]) < 2 * error, (scenario, rate)
        assert theirs["gmr_bias"] == pytest.approx(ours["gmr_bias"], abs=0.01)
        # A fit that the program withholds has no error there; it is the largest here.
        if not ours["gmr_withheld"]:
            assert theirs["rmse"] == pytest.approx(ours["rmse"], rel=0.01)
