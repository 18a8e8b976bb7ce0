"""Published facts from file to folder: result, tables, pictures, page and what is said."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import runs
import xarray as xr
from matplotlib.figure import Figure

from mnbayes.analyses.published.card import load_published_card, override_published
from mnbayes.analyses.published.categories import shares
from mnbayes.analyses.published.command import run_published
from mnbayes.analyses.published.counts import outcome_counts
from mnbayes.analyses.published.figure import patient_rows, published_figures
from mnbayes.analyses.published.fit import fit_published
from mnbayes.analyses.published.forest import about, answers
from mnbayes.analyses.published.forest import shares as draw_shares
from mnbayes.analyses.published.grid import Summed
from mnbayes.analyses.published.load_facts import load_facts
from mnbayes.analyses.published.page import render_page
from mnbayes.analyses.published.readings import Readings, parse_readings
from mnbayes.analyses.published.result import ANSWER_COLUMNS, SPECIFICATION, PublishedResult
from mnbayes.analyses.published.section import doi_of, published_section, section_of
from mnbayes.analyses.published.specifications import brought_cards, distinct, specifications
from mnbayes.analyses.summarise import summarise
from mnbayes.answers.change import ESTIMATE_COLUMNS
from mnbayes.answers.probability_tables import POPULATION_COLUMNS, PROBABILITY_COLUMNS
from mnbayes.base.problems import InputError
from mnbayes.cards.definitions import load_definitions
from mnbayes.data.cohort import Cohort
from mnbayes.inference.fit import Fit
from mnbayes.inference.sampling import Sampling
from mnbayes.report.terminal import show_section
from mnbayes.run.outputs import write_run
from mnbayes.run.run import Run
from mnbayes.run.stored_run import load_run, stored

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "invented-paper.toml"
CARD, DEFINITIONS = load_published_card(), load_definitions()
#: Two sets are enough to show that every set gets its rows.
#: Without the best of several visits, whose likelihood is dear.
BARE = load_facts().model_copy(update={"best": None})
OTHERS = {name: card for name, card in brought_cards().items() if name in ("weak", "sceptical")}


def page_of(result: PublishedResult) -> str:
    described = {"prior_set": "weak", "seed": 1, "started": "", "versions": {"mnbayes": ""}}
    facts = {"file": "", "sha256": ""}
    return render_page(published_section(result, {}), described | {"facts": facts})


@pytest.fixture(scope="module")
def result() -> PublishedResult:
    return fit_published(load_facts(), CARD, DEFINITIONS, Sampling(seed=2), others=OTHERS)


def test_a_run_in_memory_has_its_rows_as_one_read_back(
    result: PublishedResult, tmp_path: Path, proteinuria: Fit, cohort: Cohort
) -> None:
    # A report compares with the previous run before its own files are written.
    own = summarise(proteinuria, DEFINITIONS, 1)
    described = {"mnbayes": "0", "models": {}}
    run = Run(cohort, DEFINITIONS, (own,), "weak", (), described, found={"published": result})
    run = runs.with_sections(run)
    write_run(run, tmp_path / "run", None)
    back, memory = load_run(tmp_path / "run"), stored(run, "run")
    assert "published" in set(memory.numbers["model"])
    pd.testing.assert_frame_equal(back.numbers, memory.numbers, check_exact=True)


def test_its_rows_fit_a_runs_tables(result: PublishedResult) -> None:
    assert result.converged
    assert not result.withheld
    probabilities = result.probabilities
    assert tuple(result.estimates.columns) == ESTIMATE_COLUMNS
    assert tuple(probabilities.columns) == PROBABILITY_COLUMNS
    assert tuple(result.population.columns) == POPULATION_COLUMNS
    (row,) = result.estimates.to_dict("records")
    assert (row["model"], row["marker"], row["week"]) == ("published", "urine_protein_24h", 12)
    assert row["gmr_lower"] < row["gmr_median"] < row["gmr_upper"]
    assert row["p_fall"] > row["p_fall_30"] > row["p_fall_50"]
    assert set(probabilities["quantity"]) == {"next_patient", "population", "exceeds"}
    assert (probabilities["mcse"] == 0).all()
    assert probabilities[["probability", "prior_probability"]].notna().all(axis=None)
    assert set(result.diagnostics["model"]) == {"published"}
    assert {"rhat", "ess_bulk", "ess_tail", "mcse_mean"} <= set(result.diagnostics.columns)
    assert {"best.visit_noise_sd", "best_naive.sd_log_ratio"} <= set(
        result.diagnostics["parameter"]
    )


def test_every_specification_answers_beside_its_prior(result: PublishedResult) -> None:
    answers = result.answers
    assert tuple(answers.columns) == ANSWER_COLUMNS
    assert (answers["reason"] == "").all()
    assert answers[["value", "mcse", "prior"]].notna().all(axis=None)
    listed = answers[list(SPECIFICATION)].drop_duplicates()
    pairs = set(zip(listed["prior_set"], listed["withdrawn"], strict=True))
    assert pairs == {
        (name, handling) for name in OTHERS for handling in ("missing", "failure", "success")
    }
    own = listed[(listed["prior_set"] == "weak") & (listed["withdrawn"] == "missing")]
    assert set(zip(own["remission"], own["no_response"], strict=True)) == {
        (remission, none) for remission in ("half", "unknown")
        for none in ("smaller_fall", "no_fall", "unknown")
    }  # fmt: skip
    assert set(own["ends"]) == {"known", "rounded"}
    # the reported one comes first, and is the one of the estimates
    first = answers.iloc[0]
    assert first["value"] == result.estimates["gmr_median"].iloc[0]
    assert result.reported.index[0] == 0


def test_answers_move_as_the_assumptions_do(result: PublishedResult) -> None:
    gmr = result.answers.query("part == 'outcome' and quantity == 'gmr' and ends == 'known'")
    value = gmr.set_index(["prior_set", "withdrawn", "remission", "no_response"])["value"]
    for name in OTHERS:
        best, middle, worst = (
            value[name, handling, "half", "smaller_fall"]
            for handling in ("success", "missing", "failure")
        )
        assert best < middle < worst
    assert value["sceptical", "missing", "half", "smaller_fall"] > 0.8
    # remission as a fall of half pulls down, no response as no fall at all pulls up
    weak = value["weak"]["missing"]
    assert weak["half", "smaller_fall"] < weak["unknown", "smaller_fall"]
    assert weak["half", "no_fall"] > weak["half", "smaller_fall"] > weak["half", "unknown"]


def test_the_reported_draws_are_a_labelled_tree(result: PublishedResult) -> None:
    tree = result.tree
    posterior = tree["posterior"]
    assert posterior.sizes == {"chain": 4, "draw": 1000, "category": 4}
    gmr = float(np.exp(posterior["mean_log_ratio"]).median())
    assert gmr == pytest.approx(result.estimates["gmr_median"].iloc[0], abs=0.02)
    found = shares(outcome_counts(result.facts), CARD.shares, "missing")
    drawn = posterior["category_share"].mean(("chain", "draw"))
    assert float(drawn.sel(category="complete")) == pytest.approx(found["complete"].mean, abs=0.01)
    following = tree["posterior_predictive"]["next_log_ratio"]
    half = result.reported.query("part == 'outcome' and quantity == 'next_fall_50'")["value"]
    assert float((following < np.log(0.5)).mean()) == pytest.approx(half.iloc[0], abs=0.02)
    # the least of three visits lies below the change behind it
    least = tree["posterior_predictive"]["next_best_log_ratio"]
    assert float(least.mean()) < float(posterior["best_mean_log_ratio"].mean()) - 0.1
    rows = tree["log_likelihood"]["log_ratio"].sel(patients="not seen")
    assert float(np.abs(rows).max()) == 0  # nothing known, so it says nothing
    for name in ("sample_stats", "sample_stats_best", "sample_stats_best_naive", "log_prior"):
        assert name in tree.children


def test_one_seed_gives_one_result(result: PublishedResult) -> None:
    # and neither other prior sets nor other facts move the reported draws
    again = fit_published(BARE, CARD, DEFINITIONS, Sampling(seed=2), others={})
    pd.testing.assert_frame_equal(result.estimates, again.estimates)


def test_sets_with_the_same_priors_are_said_and_not_refitted() -> None:
    twin = override_published(CARD, [])
    cards, same = distinct(CARD, "weak", {"weak": CARD, "twin": twin, **OTHERS})
    assert list(cards) == ["weak", "sceptical"]
    assert same == {"twin": "weak"}
    # a set with one changed number is not that set
    changed, _ = distinct(OTHERS["sceptical"], "weak", OTHERS)
    assert list(changed) == ["weak, changed", "weak"]


def test_specifications_leave_out_what_the_facts_do_not_have() -> None:
    facts = load_facts()
    bare = facts.outcome.model_copy(update={"remission": None, "reduction": None})
    whole = facts.model_copy(
        update={
            "outcome": bare.model_copy(update={"withdrew": 0}),
            "enrolled": facts.enrolled.model_copy(update={"patients": 7}),
        }
    )
    found = specifications({"weak": CARD}, whole)
    assert {each.readings.withdrawn for each in found} == {"missing"}
    assert {each.readings.remission for each in found} == {"half"}
    assert {each.readings.ends for each in found} == {"known"}
    assert len(found) == 3


def test_a_failed_fit_withholds_its_numbers_and_says_why(
    result: PublishedResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubt = "half the points of the sum give gmr = 0.500 for 0.600"
    monkeypatch.setattr(Summed, "doubts", lambda self: (doubt,))
    withheld = fit_published(BARE, CARD, DEFINITIONS, others={})
    assert not withheld.converged
    assert doubt in withheld.withheld
    assert withheld.estimates.drop(columns=["model", "marker", "week"]).isna().all(axis=None)
    sizes = withheld.answers["part"] != "counts"
    assert withheld.answers.loc[sizes, ["value", "lower", "upper", "mcse"]].isna().all(axis=None)
    assert withheld.answers.loc[~sizes, "value"].notna().all()
    page = page_of(withheld)
    assert doubt in page
    assert "0.60" not in page.replace(doubt, "")  # the ratio
    assert "29.0\N{NO-BREAK SPACE}% to 96.3\N{NO-BREAK SPACE}%" in page  # counts stand
    published_figures(withheld)
    shown = fit_published(BARE, CARD, DEFINITIONS, others={}, allow_unconverged=True)
    assert shown.reasons
    assert shown.estimates["gmr_median"].notna().all()
    assert "Unconverged" in page_of(shown)


def test_the_section_puts_each_statement_beside_what_supports_it(result: PublishedResult) -> None:
    section = published_section(result, {})
    said = dict(section.statements.rows)
    facts = result.facts
    response = said[facts.outcome.response.says]
    assert "5 of 7 (71.4 %; 29.0 % to 96.3 %)" in response
    assert "5 of 8 (62.5 %; 24.5 % to 91.5 %)" in response
    assert all(each.says in said for each in facts.statement)
    assert "6 of 8 (75.0 %; 34.9 % to 96.8 %)" in said[facts.count[0].says]
    assert section.doi == "10.21203/rs.3.rs-6824104/v1"
    # every probability has its prior beside
    assert all(row[2] for row in section.answers.rows)
    words = " ".join([*section.lead, *section.conclusions, *response.split()])
    assert "effect " not in words


def test_no_sentence_speaks_of_a_synthetic_patient(result: PublishedResult) -> None:
    page = page_of(result)
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    assert text.count("synthetic") == 1
    assert "No patient of the synthetic cohort is in it." in text
    assert "INVENTED" not in text


@pytest.mark.parametrize(
    ("source", "doi"),
    [
        ("doi:10.1046/j.1523-1755.2001.0590041484.x", "10.1046/j.1523-1755.2001.0590041484.x"),
        ("preprint (doi:10.21203/rs.3.rs-6824104/v1)", "10.21203/rs.3.rs-6824104/v1"),
        ("nowhere", ""),
        ("doi:javascript", ""),
        ("doi:", ""),
    ],
)
def test_doi_of_a_source(source: str, doi: str) -> None:
    assert doi_of(source) == doi


def test_another_paper_from_file_to_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages: list[str] = []
    written = run_published(
        EXAMPLE, out=tmp_path / "out", readings=["no_response=no_fall"],
        settings=["mean_log_ratio.sigma=0.8"], sampling=Sampling(seed=5),
        news=lambda stage, done, total: stages.append(stage),
    )  # fmt: skip
    folder, facts = written.folder, written.result.facts
    assert written.result.prior_set == "weak, changed"
    assert facts.invented
    assert about(facts).startswith("INVENTED")
    counts = outcome_counts(facts)
    assert (counts.evaluable, counts.none, counts.remission, counts.complete) == (21, 7, 9, None)
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "answers.csv", "estimates.csv", "probabilities.csv", "population.csv", "diagnostics.csv",
        "posterior", "plots", "report.html", "published.json",
    }  # fmt: skip
    assert {p.name for p in (folder / "plots").iterdir()} == {
        "published_evidence.svg", "published_answers.svg", "published_shares.svg",
    }  # fmt: skip
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "INVENTED PAPER – no real patient" in page
    assert page.count("data:image/svg+xml;base64,") == 3
    described = json.loads((folder / "published.json").read_text(encoding="utf-8"))
    assert described["readings"]["no_response"] == "no_fall"
    assert described["facts"]["said"]["enrolled"]["patients"] == 24
    assert described["converged"]
    with xr.open_datatree(folder / "posterior" / "published.nc", engine="h5netcdf") as tree:
        assert "mean_log_ratio" in tree["posterior"]
    probabilities = pd.read_csv(folder / "probabilities.csv")
    blank = probabilities[probabilities["category"].isin(["complete", "partial"])]
    assert blank["probability"].isna().all()  # not told apart, and not forgotten
    assert stages[-1] == "done"
    show_section(section_of(written.result))
    assert "INVENTED PAPER" in capsys.readouterr().out
    # a second run takes the first one's place; something else's is not touched
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="which holds other files"):
        run_published(EXAMPLE, out=tmp_path / "else")


def test_many_patients_share_a_row_of_their_kind(result: PublishedResult) -> None:
    few = patient_rows(result.evidence)
    assert len(few) == 8
    assert few[0].label == "highest published fall"
    assert few[0].estimates[0].middle == pytest.approx(0.24)
    many = patient_rows(replace(result.evidence, patients=10 * result.evidence.patients))
    assert many[1].label == "30 patients: between, in remission"
    assert len(many) == len(result.evidence.label)


def test_forests_draw_every_answer_at_its_place(result: PublishedResult) -> None:
    own = Figure().subplots()
    assert answers(result, own) is own.figure
    points = {x for line in own.lines for x in np.atleast_1d(line.get_xdata()).tolist()}
    gmr = result.answers.query("part == 'outcome' and quantity == 'gmr'")
    assert {*gmr["value"], *gmr["prior"]} <= points
    labels = [label.get_text() for label in own.get_yticklabels()]
    assert len(labels) == len(gmr) + gmr["prior_set"].nunique()
    assert labels[1] == "withdrawn missing (reported)"

    own = Figure().subplots()
    draw_shares(result, own)
    counts = outcome_counts(result.facts)
    points = {x for line in own.lines for x in np.atleast_1d(line.get_xdata()).tolist()}
    assert 100 * (counts.remission / counts.evaluable) in points
    assert 100 * (counts.remission / counts.enrolled) in points
    bars = [
        path.vertices[0, 0]
        for lines in own.collections
        for path in lines.get_paths()
        if path.vertices[0, 0] == path.vertices[1, 0]  # upright
    ]
    assert bars == [100 * bar for bar in DEFINITIONS.benchmarks.values()]


def test_bad_input_is_said_all_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    text = EXAMPLE.read_text(encoding="utf-8").replace("total = 9", "total = 19")
    bad.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        run_published(
            bad, out=tmp_path / "out", prior_sets=["sceptcal"], settings=["what"],
            readings=["ends=round", "remissions=half"],
        )  # fmt: skip
    said = str(error.value)
    for words in (
        "bad.toml, column outcome.remission: found 19 remissions; expected no more remissions "
        "than responders: 14",
        "did you mean sceptical?",
        "--set",
        "one of known, rounded",
        "SWITCH=CHOICE with one of remission, no_response, ends, withdrawn",
    ):
        assert words in said
    assert not (tmp_path / "out").exists()


def test_readings_are_switches() -> None:
    own = Readings()
    changed = parse_readings(["remission=unknown", "withdrawn = failure"], own)
    assert (changed.remission, changed.withdrawn) == ("unknown", "failure")
    assert (changed.no_response, changed.ends) == (own.no_response, own.ends)


def test_a_reading_that_the_facts_rule_out_is_a_finding_beside(tmp_path: Path) -> None:
    # Everybody with a response is in remission, yet the lowest fall was 26 %.
    text = EXAMPLE.read_text(encoding="utf-8").replace("total = 9", "total = 14")
    path = tmp_path / "paper.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match='remission = "unknown"'):
        run_published(path, out=tmp_path / "out")
    facts = load_facts(path)
    card = CARD.model_copy(update={"readings": Readings(remission="unknown")})
    result = fit_published(facts, card, DEFINITIONS, others={"weak": CARD})
    ruled_out = result.answers[result.answers["remission"] == "half"]
    assert ruled_out["value"].isna().all()
    assert ruled_out["reason"].str.contains("a lowest fall of 26.4 % among 14 patients").all()
    section = published_section(result, {})
    assert any("rule out" in note for note in section.notes)
    published_figures(result)
