"""The stored comparison of a step and a drift: its age, the page, and what it must show."""

import json

import pytest
from conftest import script

from mnbayes.cards.card import load_card
from mnbayes.studies.rerun import first_replicates, moved

made = script("trajectory")
STORED = json.loads(made.REFERENCE.read_text(encoding="utf-8"))
AGAIN = "run `python scripts/trajectory.py`"


@pytest.mark.parametrize("model", ["step", "drift", *made.TRIED])
def test_its_first_replicates_have_the_same_numbers_again(model: str) -> None:
    study = made.study_of(model, made.FIRST)
    again = first_replicates(study, made.FIRST)
    assert moved(STORED["first"][model], again) == [], AGAIN
    assert (STORED["replicates"], STORED["seed"]) == (made.REPLICATES, made.SEED), AGAIN


def test_the_page_shows_it() -> None:
    page = made.PAGE.read_text(encoding="utf-8")
    assert made.filled(page, STORED) == page, AGAIN


def test_the_default_is_what_the_table_decided() -> None:
    step, drift = (STORED["rates"][name] for name in ("step", "drift"))
    assert load_card("proteinuria").structure.drift
    for name in ("gradual", "rebound", "relapse_of_one"):  # where a course turns
        assert drift[name]["covered_95"] > step[name]["covered_95"]
        assert drift[name]["wrong_effective"] < step[name]["wrong_effective"]
    parallel = "random_leave"
    assert drift[parallel]["rmse"] < 1.06 * step[parallel]["rmse"]
    assert drift[parallel]["covered_95"] > 0.92
