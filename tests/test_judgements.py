"""Judgements of experts as a file: written, read again, and pooled to the same numbers."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnbayes.base.problems import InputError
from mnbayes.cards.card import Card
from mnbayes.cards.parameters import quantity
from mnbayes.data.cohort import Cohort
from mnbayes.explorer.case import Case
from mnbayes.explorer.judgements import (
    LARGEST,
    MOST_BYTES,
    MOST_EXPERTS,
    Expert,
    Judgement,
    Judgements,
    judgements_toml,
    read_judgements,
)
from mnbayes.explorer.judging import (
    differences,
    fitted,
    judged_of,
    opened_judgements,
    pooled,
    stated_judgements,
)
from mnbayes.explorer.saving import Author, taken_along
from mnbayes.explorer.settings import Settings

HOSTILE = "</script><b>\"'\\ é😀 {{7*7}}"
EDGES = [0.1, 0.2, 0.4, 0.8, 1.6]
#: As a page sends it.
GIVEN: dict[str, Any] = {
    "change_mean": [
        {"who": "A. B.", "belief": "90% between 0.5 and 1.2 on gmr", "weight": 2},
        {"who": HOSTILE, "edges": EDGES, "chips": [1, 4, 4, 1], "weight": 0.3},
        {"who": "C", "numbers": {"sigma": 0.4, "mu": -0.1}},
    ],
    "visit_sd": [{"who": "A. B.", "belief": "95% below 0.4 on sd"}],
    "change_sd": [],
}
SETTINGS = Settings("proteinuria")


@pytest.fixture(scope="module")
def case(cohort: Cohort, proteinuria_card: Card) -> Case:
    return Case(cohort, (proteinuria_card,))


@pytest.fixture(scope="module")
def stated(case: Case) -> Judgements:
    found = stated_judgements(case, SETTINGS, GIVEN, "Because.", "Stated by D.")
    assert found is not None
    return found


def test_a_session_is_gone_on_with_to_the_same_numbers(case: Case, stated: Judgements) -> None:
    text = judgements_toml(stated)
    read = read_judgements(text)
    assert read == stated
    assert (read.model, read.why, read.source) == ("proteinuria", "Because.", "Stated by D.")
    change, visit = read.prior
    assert [each.who for each in change.expert] == ["A. B.", HOSTILE, "C"]
    assert (change.unit, visit.unit) == ("gmr", "sd")
    opened = opened_judgements(case, SETTINGS, text)
    assert opened["remarks"] == []
    plain = json.loads(json.dumps(opened["experts"]))
    for name in plain:
        plain[name] = [{k: v for k, v in each.items() if k != "fitted"} for each in plain[name]]
    again = stated_judgements(case, SETTINGS, plain, "Because.", "Stated by D.")
    assert again == stated  # number for number
    plain["visit_sd"].append({"who": "E", "belief": "95% below 0.8 on sd"})
    more = stated_judgements(case, SETTINGS, plain, "", "")
    assert more is not None
    assert more.prior[0].pooled == change.pooled
    assert more.prior[1].pooled["sigma"] > visit.pooled["sigma"]


def test_what_is_fitted_is_what_was_said(case: Case, stated: Judgements) -> None:
    belief, chips, numbers = (each.fitted for each in stated.prior[0].expert)
    ends = np.exp(np.array([-1.645, 1.645]) * belief["sigma"] + belief["mu"])
    assert ends == pytest.approx([0.5, 1.2], rel=1e-3)
    assert chips["mu"] == pytest.approx(np.log(0.4), abs=0.02)
    assert list(numbers.items()) == [("mu", -0.1), ("sigma", 0.4)]
    card = case.shown_card(SETTINGS)
    about = quantity("change_mean", card.markers[0], card.catalogue)
    whole = pooled(stated.prior[0].expert, about, "Normal", {"mu": 0, "sigma": 9})
    assert whole.arguments == stated.prior[0].pooled
    # Of the prior in use degrees of freedom alone are kept.
    heavy = fitted(stated.prior[0].expert[0], about, "StudentT", {"nu": 4, "mu": 0, "sigma": 9})
    assert heavy["nu"] == 4
    assert heavy["mu"] == pytest.approx(belief["mu"])


def test_what_comes_to_something_else_is_said(case: Case, stated: Judgements) -> None:
    card = case.shown_card(SETTINGS)
    names = case.names(card)
    text = judgements_toml(stated).replace("weight = 2.0", "weight = 20.0")
    (said,) = differences(read_judgements(text), "proteinuria", card, names)
    assert said.startswith("Typical ratio to baseline")
    with pytest.raises(InputError, match="choose the model first"):
        differences(stated, "remission", card, names)
    other = text.replace('name = "visit_sd"', 'name = "visit_ds"')
    with pytest.raises(InputError, match="visit_sd"):
        opened_judgements(case, SETTINGS, other)


def test_they_are_among_what_is_taken_along(case: Case, stated: Judgements, tmp_path: Path) -> None:
    made = taken_along(case, SETTINGS, Author("D."), judgements=stated)
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert read_judgements(archive.read("my-experts.toml")) == stated
        assert "my-experts.toml" in archive.read("readme.txt").decode()
    assert stated_judgements(case, SETTINGS, {"change_sd": []}, "", "") is None
    assert stated_judgements(case, SETTINGS, None, "", "") is None


_numbers = st.floats(-LARGEST, LARGEST)
_printable = st.characters(exclude_categories=["C", "Z"])
_texts = st.text(_printable, max_size=20)
_names = st.text(_printable, min_size=1, max_size=20)
_arguments = st.dictionaries(_names, _numbers, max_size=3)
_weights = st.floats(0, LARGEST, exclude_min=True)


@st.composite
def _experts(draw: Any) -> Expert:
    said: dict[str, Any] = {"who": draw(_names), "weight": draw(_weights)}
    kind = draw(st.sampled_from(["belief", "numbers", "chips"]))
    if kind == "belief":
        said["belief"] = draw(_names)
    elif kind == "numbers":
        said["numbers"] = draw(st.dictionaries(_names, _numbers, min_size=1, max_size=3))
    else:
        said["chips"] = tuple(draw(st.lists(st.integers(0, 400), min_size=1, max_size=40)))
        size = len(said["chips"]) + 1
        finite = st.floats(allow_nan=False, allow_infinity=False)
        said["edges"] = tuple(draw(st.lists(finite, min_size=size, max_size=size)))
    return Expert(**said, fitted=draw(_arguments))


_judgement = st.builds(
    Judgement,
    name=_names,
    about=_texts,
    distribution=_names,
    unit=_texts,
    pooled=_arguments,
    apart=st.floats(0, 1),
    expert=st.lists(_experts(), min_size=1, max_size=3).map(tuple),
)
_judgements = st.builds(
    Judgements,
    format=st.just(1),
    model=_names,
    why=_texts,
    source=_texts,
    prior=st.lists(_judgement, min_size=1, max_size=3, unique_by=lambda each: each.name).map(tuple),
)


@settings(max_examples=30, deadline=None)
@given(_judgements)
def test_whatever_is_written_is_read_again(judgements: Judgements) -> None:
    text = judgements_toml(judgements)
    assert read_judgements(text) == judgements
    assert read_judgements(text.encode()) == judgements


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("format = 1", "format = 2", "format"),
        ("format = 1", "", "format"),
        ("weight = 2.0", "weight = -2.0", "prior.0.expert.0.weight"),
        ("weight = 2.0", "weight = inf", "prior.0.expert.0.weight"),
        ("weight = 2.0", "weight = true", "prior.0.expert.0.weight"),
        ("edges = [0.1, ", "edges = [", "prior.0.expert.1"),
        ("edges = [0.1, ", 'edges = ["0.1", ', "prior.0.expert.1.edges.0"),
        ("chips = [1, ", "chips = [-1, ", "prior.0.expert.1.chips.0"),
        ("chips = [1, ", "chips = [1.5, ", "prior.0.expert.1.chips.0"),
        ('belief = "95%', 'numbers = {sigma = 1.0}\nbelief = "95%', "prior.1.expert.0"),
        ('belief = "95% below 0.4 on sd"', "", "prior.1.expert.0"),
        ('who = "C"', 'who = " "', "prior.0.expert.2.who"),
        ('who = "C"', 'who = "C"\nage = 3', "prior.0.expert.2.age"),
        ('who = "C"', f'who = "{"C" * 81}"', "prior.0.expert.2.who"),
        ("mu = -0.1", "mu = 1e7", "prior.0.expert.2.numbers"),
        ('who = "C"', 'who = "\\u001b[31mC"', "prior.expert.who"),
        ('name = "visit_sd"', 'name = "change_mean"', None),
    ],
)
def test_what_is_no_file_of_judgements_is_said_in_one_message(
    stated: Judgements, before: str, after: str, place: str | None
) -> None:
    text = judgements_toml(stated)
    assert before in text
    with pytest.raises(InputError) as error:
        read_judgements(text.replace(before, after, 1))
    assert {problem.column for problem in error.value.problems} == {place}


def test_files_that_are_something_else_or_too_long_are_refused(stated: Judgements) -> None:
    text = judgements_toml(stated)
    many = stated.prior[0].expert * MOST_EXPERTS
    crowd = stated.prior[0].model_copy(update={"expert": many})
    for wrong in (
        *("[", "", "format = 1\nmodel = 'x'\nprior = []", b"\xff\xfe", text * 2),
        *("#" * (MOST_BYTES + 1), "[" * 10_000, "x = " + "[" * 10_000),
        judgements_toml(stated.model_copy(update={"prior": (crowd,)})),
    ):
        with pytest.raises(InputError) as error:
            read_judgements(wrong)
        assert "Traceback" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "expert", "found"),
    [
        ("change_mean", {"belief": "50% below 3 on gmr"}, "second statement"),
        ("change_mean", {"belief": "90% between 3 and 2 on gmr"}, "smaller number first"),
        ("change_mean", {"numbers": {"mu": 1.0}}, "mu, sigma of Normal"),
        ("change_mean", {"numbers": {"mu": 0.0, "sigma": -1.0}}, "sigma between"),
        ("change_mean", {"edges": EDGES, "chips": [0, 1, 1, 0]}, "chips"),
        ("change_mean", {"edges": EDGES, "chips": [0, 0, 9, 0]}, "two bins"),
        ("change_mean", {"edges": EDGES[::-1], "chips": [1, 4, 4, 1]}, "ascending"),
        ("change_mean", {"edges": [-1.0, *EDGES[1:]], "chips": [1, 4, 4, 1]}, "ascending"),
        ("correlation", {"belief": "90% between 0 and 1 on sd"}, "a prior of one number"),
        ("nothing", {"belief": "90% between 0.5 and 1.2 on gmr"}, "one of baseline_mean"),
    ],
)
def test_what_nobody_can_mean_is_refused(
    case: Case, name: str, expert: dict[str, Any], found: str
) -> None:
    with pytest.raises(InputError, match=found):
        stated_judgements(case, SETTINGS, {name: [{"who": "A", **expert}]}, "", "")


def test_a_pool_of_those_who_lie_too_far_apart_is_refused(case: Case) -> None:
    card = case.shown_card(SETTINGS)
    place = case.names(card)["change_mean"]
    apart = tuple(Expert(who="A", numbers={"mu": mu, "sigma": 1e-6}) for mu in (-1e6, 1e6))
    with pytest.raises(InputError, match="the pool"):
        judged_of("change_mean", card, place, apart)
