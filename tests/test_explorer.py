"""The explorer without a browser: settings, dials, answers, judgements, what is taken along."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import script

import mnbayes as mn
from mnbayes.analyses.withdrawal.enrolled import withdrawal_table
from mnbayes.analyses.withdrawal.tipping import tipping
from mnbayes.analyses.withdrawal.unseen import withdrawal_draws
from mnbayes.answers.result import base_result
from mnbayes.base.problems import InputError
from mnbayes.cards import families
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.prior_sets import load_prior_set
from mnbayes.data.cohort import Cohort
from mnbayes.explorer.answers import Answered, answer, further
from mnbayes.explorer.case import Case
from mnbayes.explorer.conflict import prior_predictive_check
from mnbayes.explorer.dials import dials
from mnbayes.explorer.elicitation import fit_chips, pool
from mnbayes.explorer.facts import FactsPage
from mnbayes.explorer.pages import Page, dumped
from mnbayes.explorer.run_process import run
from mnbayes.explorer.running import asked_of
from mnbayes.explorer.saving import Author, command_line, taken_along
from mnbayes.explorer.settings import (
    Settings,
    changed,
    parse_message,
    parse_table,
    read_query,
    read_settings,
)
from mnbayes.explorer.shown import flags, further_payload, payload, rows
from mnbayes.explorer.start import explored
from mnbayes.explorer.worker import SupersededError, Worker
from mnbayes.inference.collapsed import weights_doubt
from mnbayes.inference.fit import Fit
from mnbayes.inference.quick_fit import quick_fit
from mnbayes.inference.sampling import Sampling
from mnbayes.pipeline import Job
from mnbayes.run.keeping import Target
from mnbayes.run.run import Run

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
NARROW = "90% between 0.5 and 1.2 on gmr"


@pytest.fixture(scope="module")
def case(cohort: Cohort, proteinuria_card: Card) -> Case:
    return Case(cohort, (proteinuria_card, load_card("remission")))


@pytest.fixture(scope="module")
def stated(case: Case) -> Settings:
    """Settings that differ in everything from where a page begins."""
    return Settings(
        "proteinuria",
        sets=("sceptical",),
        priors=(("change_mean", NARROW), ("visit_sd", {"sigma": 0.3})),
        trajectory="step",
        definitions="embedded",
        benchmarks=(("effective", 0.6),),
        week=4.0,
        strategy="delta",
        delta=3.0,
        seed=7,
    )


@pytest.fixture(scope="module")
def found(case: Case, stated: Settings) -> Answered:
    made = answer(case, stated)
    assert made is not None
    return made


# Settings -------------------------------------------------------------------------------------


def test_an_address_keeps_the_state(stated: Settings) -> None:
    for settings in (stated, Settings("proteinuria"), Settings("remission", morph=0.25)):
        assert read_query(settings.query, "proteinuria") == settings
        plain = json.loads(json.dumps(settings.as_dict()))
        assert read_settings(plain, "proteinuria") == settings
    assert Settings("proteinuria").as_dict() == {"model": "proteinuria"}
    assert changed(Settings("proteinuria"), stated)[-2:] == ["change_mean", "visit_sd"]


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ([], "settings"),
        ({"modle": "proteinuria"}, "modle"),
        ({"model": 3}, "model"),
        ({"model": "a\x00b"}, "model"),
        ({"morph": 2}, "morph"),
        ({"morph": True}, "morph"),
        ({"morph": 10**400}, "morph"),
        ({"priors": {"change_mean": {"mu": float("nan")}}}, "priors"),
        ({"priors": {"change_mean": {"mu": "0"}}}, "priors"),
        ({"priors": {"change_mean": "9" * 300}}, "priors"),
        ({"priors": {"change_mean": {}}}, "priors"),
        ({"benchmarks": {"remission": 1.5}}, "benchmarks"),
        ({"trajectory": "slope"}, "trajectory"),
        ({"residual": None}, "residual"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"week": "4"}, "week"),
        ({"delta": 0}, "delta"),
        ({"sets": []}, "sets"),
        ({"sets": "weak"}, "sets"),
    ],
)
def test_what_is_no_setting_is_refused(said: Any, key: str) -> None:
    with pytest.raises(InputError) as error:
        read_settings(said, "proteinuria")
    assert [problem.column for problem in error.value.problems] == [key]


def test_a_message_that_is_too_long_or_no_json_is_refused() -> None:
    for text in ("{", "x" * 70_000, "[" * 60_000):
        with pytest.raises(InputError):
            parse_message(text)
    with pytest.raises(InputError):
        read_query("priors={", "proteinuria")


@pytest.mark.parametrize(
    ("parts", "column"),
    [
        ({"model": "protienuria"}, "model"),
        ({"sets": ("/etc/passwd",)}, "sets"),
        ({"sets": ("other.toml",)}, "sets"),
        ({"definitions": "kdgio"}, "definitions"),
        ({"definitions": "../x.toml"}, "definitions"),
        ({"benchmarks": (("partial", 0.5),)}, "benchmarks"),
        ({"week": 3.0}, "week"),
        ({"strategy": "worst"}, None),
        ({"priors": (("chnge_mean", NARROW),)}, None),
        ({"priors": (("change_mean", "90% between 2 and 1"),)}, None),
        ({"priors": (("change_mean", {"sigma": -1.0}),)}, None),
    ],
)
def test_a_page_may_ask_only_for_what_it_is_offered(
    case: Case, parts: dict[str, Any], column: str | None
) -> None:
    with pytest.raises(InputError) as error:
        case.check(replace(Settings("proteinuria"), **parts))
    assert column is None or error.value.problems[0].column == column


# Cards and dials ------------------------------------------------------------------------------


def test_a_stated_prior_is_that_of_set(case: Case, stated: Settings) -> None:
    texts = [f"change_mean={NARROW}", "visit_sd.sigma=0.3"]
    same = mn.with_priors(load_card("proteinuria"), "sceptical", texts)
    card = case.card(stated)
    assert card.priors_sha256 != same.priors_sha256  # it has another structure
    assert card.prior["change_mean"] == {
        marker: spec.model_copy(
            update={
                "why": card.prior["change_mean"][marker].why,
                "source": card.prior["change_mean"][marker].source,
            }
        )
        for marker, spec in same.prior["change_mean"].items()
    }
    assert card.prior["visit_sd"]["urine_protein_24h"].arguments == {"sigma": 0.3}
    assert card.structure.trajectory == "step"


def test_the_morph_goes_from_the_sceptical_to_the_enthusiastic(case: Case) -> None:
    first = Settings("remission")
    for place, name in ((0.0, "sceptical"), (1.0, "enthusiastic")):
        end = mn.with_priors(load_card("remission"), name)
        card = case.card(replace(first, morph=place))
        for parameter in card.parameters:
            for marker, spec in card.prior[parameter].items():
                wanted = end.prior[parameter][marker].arguments
                assert spec.arguments == pytest.approx(wanted, rel=1e-12)
    half = case.card(replace(first, morph=0.5)).prior["change_mean"]["urine_protein_24h"]
    ends = [
        case.card(replace(first, morph=at)).prior["change_mean"]["urine_protein_24h"].arguments
        for at in (0.0, 1.0)
    ]
    assert half.arguments["mu"] == pytest.approx((ends[0]["mu"] + ends[1]["mu"]) / 2)
    assert half.arguments["sigma"] == pytest.approx(np.sqrt(ends[0]["sigma"] * ends[1]["sigma"]))
    own = replace(first, morph=0.5, priors=(("change_mean.urine_protein_24h", NARROW),))
    stated = [c.marker for c in case.changes(own) if c.parameter == "change_mean"]
    assert stated.count("urine_protein_24h") == 1  # what is dialled wins


@pytest.mark.parametrize("model", ["proteinuria", "remission"])
def test_a_dial_that_nobody_moved_says_the_prior_that_stands(case: Case, model: str) -> None:
    settings = Settings(model)
    card = case.shown_card(settings)
    names = case.names(card)
    found = dials(card, card, names)
    assert [dial.name for dial in found] == list(names)
    for dial in found:
        values = {slider.key: slider.value for slider in dial.sliders}
        assert all(slider.least <= slider.value <= slider.most for slider in dial.sliders)
        moved = case.shown_card(settings.with_prior(dial.name, dial.stated(values)))
        before = card.prior[dial.parameter][dial.marker].arguments
        after = moved.prior[dial.parameter][dial.marker].arguments
        assert after == pytest.approx(before, rel=1e-6, abs=1e-9)
        assert dial.sentence
        assert dial.why
    kinds = {dial.parameter: dial.kind for dial in found}
    assert kinds["change_mean"] == "range"
    assert kinds["change_sd"] == "below"
    assert kinds["correlation"] == "numbers"


# Answers --------------------------------------------------------------------------------------


def test_an_answer_is_that_of_the_library(
    case: Case, stated: Settings, found: Answered, cohort: Cohort
) -> None:
    trial = cohort.trial.model_copy(update={"primary_week": 4.0})
    own = replace(cohort, trial=trial)
    definitions = case.definitions_of(stated)
    fitted = mn.fit(case.card(stated), own, Sampling(engine="auto", seed=7))
    result = mn.summarise(fitted, definitions, 7, cohort=own, refits=False)
    keys = ["kind", "patient", "marker", "week", "category"]
    same = result.answers[result.answers["week"] == 4.0].reset_index(drop=True)
    ours = found.result.answers
    pd.testing.assert_frame_equal(
        ours.sort_values(keys, ignore_index=True), same.sort_values(keys, ignore_index=True)
    )
    assert further(case, found).swept is None  # nobody had left by week 4


def test_who_withdrew_is_judged_as_a_run_judges_it(case: Case) -> None:
    settings = Settings("proteinuria", strategy="delta", delta=3.0)
    made = answer(case, settings, settled=False)
    assert made is not None
    more = further(case, made)
    tree, left = made.fit.tree, made.fit.observations.withdrew_week
    now, before = (
        withdrawal_draws(tree, group, left, made.definitions) for group in ("posterior", "prior")
    )
    strategies = [case.strategy_of(Settings("proteinuria")), case.strategy_of(settings)]
    wanted = withdrawal_table(now, before, made.definitions, "proteinuria", strategies, 12.0)
    pd.testing.assert_frame_equal(more.enrolled, wanted)
    swept = tipping(now, before, made.definitions, "proteinuria")
    assert more.swept is not None
    assert swept is not None
    pd.testing.assert_frame_equal(more.swept.points, swept.points)
    shown = further_payload(made, more)
    assert [row[0] for row in shown["enrolled"]["rows"]][1::2] == [
        "3 times worse than predicted"
    ] * 2
    assert shown["tips"] == swept.points["sentence"].tolist()
    assert all(each["delta"][0] == 1.0 for each in shown["tipping"])


@pytest.mark.parametrize("name", ["embedded", "kdigo_mn_protein_confirmed"])
def test_the_headline_is_the_same_with_and_without_the_other_weeks(
    proteinuria: Fit, name: str
) -> None:
    definitions = mn.load_definitions(name)
    whole, _ = base_result(proteinuria, definitions)
    short, _ = base_result(proteinuria, definitions, headline=True)
    for table in ("probabilities", "population", "estimates"):
        wanted, got = getattr(whole, table), getattr(short, table)
        if name == "embedded" and table != "estimates":
            assert set(got["week"]) == {12.0}
        wanted = wanted[wanted["week"].isin(got["week"])]
        if table == "probabilities":
            wanted, got = (t[t["quantity"] != "repeat"] for t in (wanted, got))
        pd.testing.assert_frame_equal(got.reset_index(drop=True), wanted.reset_index(drop=True))


def test_rows_say_what_the_tables_say(found: Answered) -> None:
    by_id = {row["id"]: row for row in rows(found)}
    assert list(by_id) == [
        *("gmr:urine_protein_24h", "fell:urine_protein_24h"),
        *("next:effective", "share:effective", "exceeds:effective"),
    ]
    estimates = found.result.estimates
    table = estimates[estimates["week"] == found.result.primary_week].iloc[0]
    ratio = by_id["gmr:urine_protein_24h"]
    assert ratio["value"] == pytest.approx(table["gmr_median"], rel=1e-3)
    assert ratio["prior_lower"] == pytest.approx(table["gmr_lower_prior"], rel=1e-3)
    assert by_id["exceeds:effective"]["label"].count("60 %") == 1
    assert all(row["now"] and row["prior"] for row in by_id.values())


def test_a_page_is_plain_and_names_what_it_rests_on(case: Case, found: Answered) -> None:
    shown = payload(case, found)
    text = dumped({**shown, **further_payload(found, further(case, found))})
    assert "NaN" not in text
    for said in (
        "sceptical",
        "Typical ratio to baseline",
        "one step after baseline",
        "week 4",
        "3 times worse",
    ):
        assert said in shown["assumptions"]
    assert shown["says"][0].startswith("Before any data, 24-h urinary protein at week 4")
    densities = shown["densities"]
    assert set(densities) == set(case.names(found.card)) - {"correlation"}
    for picture in densities.values():
        widths = np.diff(np.log(picture["edges"]) if picture["log"] else picture["edges"])
        assert (np.array(widths) > 0).all()
    one = densities["change_mean"]
    area = np.sum(np.array(one["posterior"]) * np.diff(np.log(one["edges"])))
    assert area == pytest.approx(1.0, abs=0.02)
    (course,) = shown["courses"]
    assert len(course["patients"]) == 8
    assert np.array(course["bands"]).shape == (8, 5, 5)
    (share,) = (each for each in shown["shares"] if each["category"] == "effective")
    assert share["benchmark"] == 0.6
    assert sum(share["now"]) == pytest.approx(1.0, abs=0.01)


def test_what_did_not_converge_shows_no_number(case: Case, found: Answered) -> None:
    from mnbayes.answers.result import withheld

    broken = replace(found.fit.diagnostics, reasons=("Pareto k 1.20 is above 0.7",))
    fit = replace(found.fit, diagnostics=broken)
    doubted = replace(
        found,
        result=withheld(replace(found.result, fit=fit)),
        before=replace(found.before, fit=fit),
    )
    shown = payload(case, doubted)
    assert not shown["converged"]
    assert shown["words"] == ""
    assert {row["now"] for row in shown["rows"]} == {"–"}
    assert all(row["value"] is None for row in shown["rows"])
    assert all("%" in row["prior"] or "(" in row["prior"] for row in shown["rows"])
    assert not any("posterior" in each for each in shown["densities"].values())
    assert shown["courses"][0]["bands"] is None
    assert [flag["kind"] for flag in shown["flags"]] == ["stop"]
    more = further_payload(doubted, further(case, doubted))
    assert more["patients"] is None
    assert more["tipping"] == []


def test_data_that_the_prior_denies_are_flagged(case: Case, found: Answered) -> None:
    twice = "90% between 1.9 and 2.1 on gmr"
    wrong = Settings("proteinuria", priors=(("change_mean", twice), ("visit_sd", "95% below 0.05")))
    made = answer(case, wrong, settled=False)
    assert made is not None
    check = prior_predictive_check(made.fit, "urine_protein_24h", 12.0)
    assert check is not None
    own = case.cohort.measurements
    rows_ = own[(own["marker"] == "urine_protein_24h") & own["week"].isin([0.0, 12.0])]
    ratio = np.log(rows_.pivot_table("value", "patient", "week")).diff(axis=1)[12.0].mean()
    assert check.ratio == pytest.approx(np.exp(ratio))
    assert check.patients == 7
    assert check.there
    assert flags(made)[0]["kind"] == "conflict"
    assert not any(flag["kind"] == "conflict" for flag in flags(found))


def test_a_quick_answer_is_of_fewer_draws_and_never_of_nuts(case: Case) -> None:
    quick = answer(case, Settings("proteinuria"), settled=False)
    assert quick is not None
    assert (quick.fit.engine, quick.settled) == ("collapsed", False)
    assert quick.fit.sampling.draws < Sampling().draws
    assert not quick.result.withheld
    assert answer(case, Settings("proteinuria", residual="student_t"), settled=False) is None


@pytest.mark.parametrize("model", ["proteinuria", "remission"])
def test_a_quick_answer_is_the_settled_one_but_for_monte_carlo_error(
    case: Case, model: str
) -> None:
    settings = Settings(model, sets=("sceptical",))
    tables = []
    for settled in (False, True):
        made = answer(case, settings, settled=settled)
        assert made is not None
        tables.append(made.result.answers)
    keys = ["kind", "patient", "marker", "week", "category"]
    both = tables[0].merge(tables[1], on=keys, suffixes=("_quick", ""), validate="1:1")
    of_patients = tables[1]["kind"] == "latent"  # these follow at rest
    assert len(both) == len(tables[0]) == len(tables[1][~of_patients]) > 5
    assert of_patients.sum() > 10
    error = np.hypot(both["mcse_quick"], both["mcse"])
    assert ((both["value_quick"] - both["value"]).abs() <= 4 * error).all()


def test_weights_that_a_study_would_not_trust_give_no_number(case: Case) -> None:
    cohort = case.cohort
    made = quick_fit(load_card("lymphocytes"), cohort)
    assert made is not None
    doubt = weights_doubt(made.diagnostics.pareto_k, made.diagnostics.worst_ess_bulk)
    assert made.diagnostics.reasons == (doubt,)
    assert not made.diagnostics.converged
    assert weights_doubt(0.7, 400.0) == ""
    assert "Pareto" in weights_doubt(0.71, 400.0)
    assert "effective" in weights_doubt(0.7, 399.0)
    assert weights_doubt(float("nan"), 1000.0)


# A page ---------------------------------------------------------------------------------------


def _asked(page: Page, sent: list[Any], said: dict[str, Any], waiting: bool = False) -> list[Any]:
    sent.clear()
    page.work_on(parse_table(json.dumps(said)))(lambda: waiting)
    return list(sent)


@pytest.fixture(scope="module")
def talking(case: Case) -> tuple[Page, list[Any]]:
    sent: list[Any] = []
    return Page(case, sent.append, case.first), sent


def test_a_page_answers_at_once_and_then_settles(talking: tuple[Page, list[Any]]) -> None:
    page, sent = talking
    said = {"type": "set", "n": 3, "settings": {"model": "proteinuria", "sets": ["sceptical"]}}
    got = _asked(page, sent, said | {"live": True})
    assert [(each["type"], each["settled"]) for each in got] == [("answers", False)]
    got = _asked(page, sent, said)
    kinds = [each["type"] for each in got if each["type"] != "progress"]
    assert kinds == ["answers", "further"]  # the quick answer was there already
    assert got[-2]["settled"]
    assert all(each["n"] == 3 for each in got)
    assert page.answered is not None
    assert page.answered.fit.sampling.draws == 1000
    got = _asked(page, sent, said | {"n": 4, "settings": {"seed": 2}}, waiting=True)
    assert [each["type"] for each in got] == ["answers"]  # something newer waits


def test_chips_and_experts_come_back_as_numbers(talking: tuple[Page, list[Any]]) -> None:
    page, sent = talking
    edges = [0.1, 0.2, 0.4, 0.8, 1.6]
    (chips,) = _asked(
        page, sent, {"type": "chips", "name": "change_mean", "edges": edges, "chips": [1, 4, 4, 1]}
    )
    assert chips["stated"]["mu"] == pytest.approx(np.log(0.4), abs=0.02)
    experts = [
        {"who": "A", "belief": NARROW},
        {"who": "B", "belief": "90% between 0.2 and 0.8 on gmr", "weight": 2},
    ]
    (pooled,) = _asked(page, sent, {"type": "pool", "name": "change_mean", "experts": experts})
    assert np.log(0.4) < pooled["stated"]["mu"] < np.log(np.sqrt(0.6))
    for wrong in (
        {"type": "chips", "name": "nothing", "edges": edges, "chips": [1, 4, 4, 1]},
        {"type": "chips", "name": "change_mean", "edges": edges, "chips": [1, 4]},
        {"type": "chips", "name": "change_mean", "edges": [-1, *edges[1:]], "chips": [1, 4, 4, 1]},
        {"type": "chips", "name": "change_mean", "edges": [*edges[1:], 10**400], "chips": [1] * 4},
        {"type": "pool", "name": "change_mean", "experts": [{"who": "A", "numbers": {"mu": 1}}]},
        {"type": "pool", "name": "change_mean", "experts": []},
        {
            "type": "pool",
            "name": "change_mean",
            "experts": [{"who": "A", "belief": NARROW, "weight": -1}],
        },
        {
            "type": "pool",
            "name": "change_mean",
            "experts": [{"who": "A", "belief": "90% between 3 and 2 on gmr"}],
        },
    ):
        with pytest.raises(InputError):
            _asked(page, sent, wrong)
    with pytest.raises(InputError):
        page.work_on(parse_table('{"type": "drop"}'))


# Judgements -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "arguments", "edges"),
    [
        ("Normal", {"mu": -0.5, "sigma": 0.4}, np.linspace(-2, 1, 13)),
        ("StudentT", {"nu": 4.0, "mu": 0.2, "sigma": 0.5}, np.linspace(-3, 3, 21)),
        ("HalfNormal", {"sigma": 0.5}, np.linspace(0, 2, 11)),
        ("Exponential", {"lam": 2.0}, np.linspace(0, 3, 11)),
        ("LogNormal", {"mu": 1.4, "sigma": 0.6}, np.geomspace(0.5, 40, 14)),
        ("Gamma", {"alpha": 3.0, "beta": 0.5}, np.linspace(0, 25, 16)),
    ],
)
def test_chips_laid_by_a_distribution_give_it_back(
    family: str, arguments: dict[str, float], edges: Any
) -> None:
    chips = np.round(300 * np.diff(families.cdf(family, arguments, edges))).astype(int).tolist()
    judged = fit_chips(edges.tolist(), chips, family, arguments)
    assert judged.arguments == pytest.approx(arguments, rel=0.06, abs=0.02)
    assert judged.apart < 0.01
    assert list(judged.arguments) == list(families.FAMILIES[family].arguments)


def test_a_pool_is_the_mixture_of_its_experts() -> None:
    one: dict[str, float] = {"mu": -0.6, "sigma": 0.3}
    same = pool([("Normal", one)] * 3, [1, 2, 3], "Normal", one)
    assert same.arguments == pytest.approx(one, abs=1e-4)
    other = {"mu": 0.6, "sigma": 0.3}
    mixed = pool([("Normal", one), ("Normal", other)], [1, 1], "Normal", one)
    assert mixed.arguments["mu"] == pytest.approx(0.0, abs=1e-3)
    assert mixed.arguments["sigma"] > 0.5  # experts who differ leave doubt
    assert mixed.apart > 0.03  # and a normal has one top


# To take along --------------------------------------------------------------------------------


def _unpacked(made: bytes, folder: Path) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        archive.extractall(folder)
        return archive.namelist()


def test_what_is_taken_along_gives_the_same_card(
    case: Case, stated: Settings, tmp_path: Path
) -> None:
    made = taken_along(case, stated, Author("A. B.", "Because."), now=NOW)
    names = _unpacked(made, tmp_path)
    assert names == ["my-priors.toml", "my-card.toml", "my-definitions.toml", "readme.txt"]
    card = mn.with_priors(
        mn.load_card(tmp_path / "my-card.toml"), ["sceptical", tmp_path / "my-priors.toml"]
    )
    assert card.priors_sha256 == case.card(stated).priors_sha256
    assert card.structure == case.card(stated).structure
    read = mn.load_definitions(tmp_path / "my-definitions.toml")
    assert read == case.definitions_of(stated)
    prior_set = load_prior_set(tmp_path / "my-priors.toml")
    assert prior_set.why == "Because."
    assert "A. B. on 2026-03-04 05:06 UTC" in prior_set.source
    line = shlex.split(command_line(case, stated))
    assert line[:2] == ["mnbayes", "fit"]
    sets = [line[i + 1] for i, word in enumerate(line) if word == "--set"]
    same = mn.with_priors(mn.load_card(tmp_path / "my-card.toml"), "sceptical", sets)
    assert same.priors_sha256 == card.priors_sha256


def test_the_command_line_is_short_where_nothing_was_moved(case: Case) -> None:
    said = command_line(case, case.first)
    assert said == "mnbayes fit --model proteinuria --priors weak --engine auto --seed 1"


def test_a_seal_says_whether_it_was_kept(case: Case, stated: Settings, tmp_path: Path) -> None:
    made = taken_along(case, stated, Author("A. B.", seen=False), sealed=True, now=NOW)
    assert "my-priors.seal.json" in _unpacked(made, tmp_path)
    file = tmp_path / "my-priors.toml"
    kept = load_prior_set(file)
    whole = mn.with_priors(mn.load_card(tmp_path / "my-card.toml"), file)
    assert whole.priors_sha256 == case.card(stated).priors_sha256  # it stands by itself
    assert kept.sealed == (
        "kept as sealed on 2026-03-04 05:06 UTC by A. B., before the data were seen (as stated)"
    )
    assert kept.described["sealed"] == kept.sealed
    assert "sealed" not in load_prior_set("weak").described
    file.write_text(file.read_text(encoding="utf-8") + "# one line more\n", encoding="utf-8")
    assert load_prior_set(file).sealed.startswith("BROKEN")
    (tmp_path / "my-priors.seal.json").write_text("[]", encoding="utf-8")
    assert "is no seal" in load_prior_set(file).sealed


def test_what_a_user_names_makes_a_case() -> None:
    made = explored()
    assert made.cards[0].name == "remission"  # the model of page 1
    assert made.first.as_dict() == {"model": "remission"}
    narrow = explored(cards="proteinuria", prior_set="sceptical", definitions="embedded")
    assert narrow.first.sets == ("sceptical",)
    for wrong in ({"cards": ["proteinuria", "proteinuria"]}, {"prior_set": "sceptcal"}):
        with pytest.raises(InputError):
            explored(**wrong)  # type: ignore[arg-type]


# Run this, and the one thread ------------------------------------------------------------------


def test_run_this_is_the_job_of_fit(
    case: Case, stated: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Job] = []

    def pretend(job: Job, target: Target, progress: Any) -> Run:
        jobs.append(job)
        return Run(job.cohort, job.judged_by, (), job.prior_set, folder=target.folder)

    monkeypatch.setattr("mnbayes.explorer.run_process.run_job", pretend)
    told = asked_of(case, stated, Author("A. B.", "Because."), tmp_path)
    said = run(json.loads(json.dumps(told)))
    (job,) = jobs
    assert str(tmp_path) in said
    assert job.cards[0].priors_sha256 == case.card(stated).priors_sha256
    assert job.cards[0].structure == case.card(stated).structure
    assert job.judged_by == case.definitions_of(stated)
    assert job.cohort.primary_week(job.cards[0].markers) == 4.0
    assert job.prior_set == "sceptical + my-priors"
    assert job.prior_sets[-1].why == "Because."
    assert "A. B." in job.prior_sets[-1].source
    assert (job.sampling.engine, job.sampling.seed, job.influence) == ("auto", 7, True)


@pytest.fixture
def working() -> Iterator[tuple[Worker, list[Any]]]:
    """A worker that is at work, and the pages whose tasks failed."""
    failed: list[Any] = []
    worker = Worker(lambda page, text: failed.append(page))
    worker.start()
    yield worker, failed
    worker.stop()


def test_of_a_page_s_wishes_the_newest_counts(working: tuple[Worker, list[Any]]) -> None:
    begun, go, done = threading.Event(), threading.Event(), threading.Event()
    told: list[Any] = []

    def first(newer: Callable[[], bool]) -> None:
        begun.set()
        go.wait(30)
        told.append(("first", newer()))

    def wish(name: str) -> Callable[[Callable[[], bool]], None]:
        def work(newer: Callable[[], bool]) -> None:
            told.append((name, newer()))
            if name == "fails":
                raise InputError([])
            if name == "last":
                done.set()

        return work

    worker, failed = working
    worker.ask(1, first)
    assert begun.wait(30)
    for name in ("never", "second"):
        worker.ask(1, wish(name))
    worker.ask(3, wish("gone"))
    worker.ask(1, wish("chips"), "chips")  # of another kind: it waits beside
    worker.ask(2, wish("fails"))
    worker.ask(4, wish("last"))
    worker.forget(3)
    go.set()
    assert done.wait(30)
    worker.stop()
    assert told == [
        *(("first", True), ("second", False), ("chips", False)),
        *(("fails", False), ("last", False)),
    ]
    assert failed == [2]


def _sampling_threads() -> list[str]:
    """Names of nutpie's threads of this process, where the system lists them."""
    names = []
    for place in Path("/proc/self/task").glob("*/comm"):
        with contextlib.suppress(OSError):  # a thread that ended meanwhile
            names.append(place.read_text().strip())
    return [name for name in names if name.startswith("nutpie-worker")]


def _none_samples() -> bool:
    waited = threading.Event()
    for _ in range(600):
        if not _sampling_threads():
            return True
        waited.wait(0.05)
    return False


def test_what_a_progress_callback_raises_ends_sampling(
    cohort: Cohort, proteinuria_card: Card
) -> None:
    told: list[tuple[int, int]] = []

    def stop(stage: str, done: int, total: int) -> None:
        told.append((done, total))
        if threading.current_thread() is not threading.main_thread():  # nutpie's own: it samples
            raise SupersededError

    long = Sampling(chains=2, draws=200_000)  # minutes, if it went on
    with pytest.raises(SupersededError):
        mn.fit(proteinuria_card, cohort, long, progress=stop)
    done, total = told[-1]
    assert done < total == 2 * 200_500
    assert _none_samples()


def test_a_newer_setting_cuts_a_fit_by_nuts_short(case: Case) -> None:
    sent: list[Any] = []
    failed: list[Any] = []
    settled, asked = threading.Event(), threading.Event()

    def send(said: Any) -> None:
        sent.append(said)
        drawing = said["type"] == "progress" and said["text"] == "NUTS draws"
        if drawing and threading.current_thread().name != "explorer fits" and not asked.is_set():
            asked.set()
            worker.ask(1, page.work_on({"type": "set", "n": 2, "settings": {}}))
        if said["type"] == "further":
            settled.set()

    page = Page(case, send, case.first)
    worker = Worker(lambda number, text: failed.append(text))
    worker.start()
    worker.ask(1, page.work_on({"type": "set", "n": 1, "settings": {"residual": "student_t"}}))
    assert settled.wait(60)
    worker.stop()
    assert asked.is_set()
    answers = [(each["n"], each["settled"]) for each in sent if each["type"] == "answers"]
    assert answers[-1] == (2, True)
    assert 1 not in dict(answers)
    assert failed == []
    assert page.answered is not None
    assert page.answered.fit.engine == "collapsed"
    assert _none_samples()


def test_nothing_is_worked_out_for_a_page_that_was_closed(
    working: tuple[Worker, list[Any]],
) -> None:
    begun, closed, done = threading.Event(), threading.Event(), threading.Event()
    told: list[bool] = []

    def work(newer: Callable[[], bool]) -> None:
        told.append(newer())
        begun.set()
        closed.wait(30)
        told.append(newer())
        raise SupersededError

    worker, failed = working
    worker.ask(1, work)
    assert begun.wait(30)
    worker.forget(1)
    closed.set()
    worker.ask(2, lambda newer: done.set())
    assert done.wait(30)
    worker.stop()
    assert told == [False, True]
    assert failed == []


# A paper's facts ------------------------------------------------------------------------------


def test_the_facts_of_a_paper_move_with_their_reading() -> None:
    sent: list[Any] = []
    page = FactsPage(sent.append)
    asked = {
        "readings": {"withdrawn": "failure"},
        "priors": {"sd_log_ratio": "95% below 1.5 on sd"},
    }
    page.work_on({"type": "set", "n": 1, "settings": asked})(lambda: False)
    (got,) = sent
    text = dumped(got)
    assert "NaN" not in text
    first = got["rows"][0]
    assert first["label"] == "Typical ratio to baseline"
    assert first["now"] != first["prior"]
    low, high = map(float, first["readings"].split(" to "))
    assert low <= float(first["now"].split(" ")[0]) <= high
    assert got["beliefs"]["sd_log_ratio"]["below"] == pytest.approx(1.5, rel=1e-3)
    assert got["converged"]
    for wrong in (
        {"readings": {"withdrawn": "lost"}},
        {"readings": ["x"]},
        {"sets": ["/etc/passwd"]},
        {"priors": {"change_mean": NARROW}},
    ):
        with pytest.raises(InputError):
            page.work_on({"type": "set", "settings": wrong})(lambda: False)
    told = FactsPage.choices()
    assert [name for name, *_ in told["readings"]] == [
        "remission",
        "no_response",
        "ends",
        "withdrawn",
    ]
    assert all(says for _, says, _ in told["readings"])


def test_the_page_quotes_what_was_measured() -> None:
    made, blocks = script("explorer"), script("page_blocks")
    stored = json.loads(made.RESULT.read_text(encoding="utf-8"))
    page = made.PAGE.read_text(encoding="utf-8")
    again = "run `python scripts/explorer.py`"
    assert blocks.with_block(page, made.BLOCK, made.markdown(stored)) == page, again
    settings = stored["settings"]
    assert (settings["different"], settings["tracebacks"]) == ([], [])
    assert settings["asked"] == made.SETTINGS
