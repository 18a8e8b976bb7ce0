"""``mnbayes design`` on a run's folder and on counts: what it reads, says, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
from designs import CARD, DEFINITIONS, PROTEIN, evidence_from, short, stored_run
from matplotlib.figure import Figure
from matplotlib.text import Text
from trees import make_tree

from mnbayes.analyses.design.beta_binomial import Beta
from mnbayes.analyses.design.command import chosen_rules, run_design
from mnbayes.analyses.design.figure import design_figures
from mnbayes.analyses.design.next_trial import designs_table, trials_table
from mnbayes.analyses.design.plan import plan_counts, plan_evidence
from mnbayes.analyses.design.rules import load_rules, rules_for
from mnbayes.analyses.design.section import decision_section, section_of
from mnbayes.analyses.design.share import finding
from mnbayes.analyses.design.share_figure import share
from mnbayes.analyses.design.success import NEW, POOLED
from mnbayes.base.problems import InputError
from mnbayes.cards.definitions import load_definitions
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit import style
from mnbayes.report.kit.templates import environment
from mnbayes.report.terminal import show_section
from mnbayes.run.section import Picture

SMALL = {"patients": [10, 20], "withdrawal": [0.0, 0.2], "confidence": [0.9]}
FILES = {
    *("decision.csv", "assurance.csv", "designs.csv", "design.json"),
    *("share.svg", "assurance.svg", "rule_characteristics.svg"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return stored_run(tmp_path_factory.mktemp("runs") / "finished")


@pytest.fixture(scope="module")
def plan():
    return plan_evidence([evidence_from(make_tree())], DEFINITIONS, short(), "a test", True)


def section(plan):
    names = design_figures(plan)
    return decision_section(plan, [Picture(name, name, name, b"<x/>") for name in names])


def page(found) -> str:
    return environment().get_template("design/section.html.j2").render(decision=found)


def test_a_finished_run_is_read_and_written_whole(folder, tmp_path, capsys, monkeypatch) -> None:
    out = tmp_path / "design"
    plan = run_design(folder, **SMALL, out=out)
    assert {path.name for path in out.iterdir()} == FILES
    described = json.loads((out / "design.json").read_text(encoding="utf-8"))
    assert described["synthetic"] is True
    assert described["source"] == "run finished"
    assert described["verdict"] == plan.main.verdict
    # what the run reported is what the rule uses
    reported = pd.read_csv(folder / "probabilities.csv")
    row = reported.query(
        "model == 'remission' and quantity == 'exceeds' and category == 'remission' and week == 12"
    ).iloc[0]
    table = pd.read_csv(out / "decision.csv")
    assert table.loc[0, "probability"] == pytest.approx(row["probability"], abs=1e-12)
    assert len(pd.read_csv(out / "assurance.csv")) == len(plan.assurance) == 2 * 2 * 2 * 2
    # again into the same folder, only where that is asked for
    with pytest.raises(InputError, match="--force"):
        run_design(folder, **SMALL, out=out)
    again = run_design(folder, **SMALL, category="effective", out=out, force=True)
    assert again.folder == out
    assert len(list(tmp_path.glob("design-*/design.json"))) == len(again.said) == 1
    assert pd.read_csv(out / "assurance.csv").loc[0, "rule"] == "effective"
    monkeypatch.setenv("COLUMNS", "200")
    show_section(section_of(plan), synthetic=plan.synthetic)
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("SYNTHETIC")
    # Together with the patients seen so far is in the file alone.
    assert set(pd.read_csv(tmp_path / "design" / "assurance.csv")["analysis"]) == {NEW, POOLED}
    for table in (trials_table(plan, NEW), designs_table(plan)):
        assert table is not None
        for cell in {cell for row in table.rows for cell in row}:
            assert cell in said


def test_draws_of_an_older_layout_are_said_once(tmp_path) -> None:
    """Draws before dims had their labels, and without patients' levels."""
    folder = stored_run(tmp_path / "old")
    for path in (folder / "posterior").glob("*.nc"):
        with xr.open_datatree(path, engine="h5netcdf") as stored:
            tree = stored.load()
        for group in ("posterior", "prior"):
            tree[group] = tree[group].dataset.drop_vars(["pair", "later_visit"])
        del tree["patients"]
        tree.to_netcdf(path, engine="h5netcdf")
    with pytest.raises(InputError) as error:
        run_design(folder, **SMALL, out=tmp_path / "out")
    (problem,) = error.value.problems
    assert problem.file in {"remission.nc", "proteinuria.nc"}
    assert "posterior/pair" in problem.found
    assert "prior/later_visit" in problem.found
    assert "patients/level" in problem.found
    assert not (tmp_path / "out").exists()


def test_a_foreign_folder_is_left_alone(folder, tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="--out"):
        run_design(folder, **SMALL, out=tmp_path)
    with pytest.raises(InputError, match="--out"):
        run_design(folder, **SMALL, out=folder)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_withheld_numbers_yield_no_decision_and_no_prospects(tmp_path, capsys) -> None:
    held = stored_run(tmp_path / "held", withheld=("R-hat 1.200 is too big",))
    plan = run_design(held, **SMALL, out=tmp_path / "design")
    assert plan.main.verdict == ""
    written = {path.name for path in (tmp_path / "design").iterdir()}
    assert written == {"decision.csv", "design.json"}
    show_section(section_of(plan), synthetic=plan.synthetic)
    said = " ".join(capsys.readouterr().out.split())
    assert "R-hat 1.200" in said
    assert "P(go)" not in said
    text = page(section(plan))
    assert "No decision" in text
    assert "The next trial" not in text


def test_a_fit_shown_all_the_same_says_so_everywhere(tmp_path, capsys) -> None:
    run = stored_run(tmp_path / "doubtful", reasons=("3 divergent transitions",))
    plan = run_design(run, **SMALL)
    assert plan.main.verdict
    show_section(section_of(plan), synthetic=plan.synthetic)
    assert "do not rely on this" in " ".join(capsys.readouterr().out.split())
    assert "3 divergent transitions" in page(section(plan))
    for figure in design_figures(plan).values():
        texts = " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")
        assert "NOT CONVERGED" in texts


def test_counts_alone(capsys) -> None:
    plan = run_design(responders=4, of=8, prior=(1.0, 1.0), **SMALL)
    show_section(section_of(plan), synthetic=plan.synthetic)
    said = " ".join(capsys.readouterr().out.split())
    assert "4 of 8 counted, prior Beta(1, 1)" in said
    assert "SYNTHETIC" not in said
    assert "nan" not in said
    own = run_design(responders=4, of=8, **SMALL)  # the card's analysis prior
    assert own.main.model.endswith("Beta(0.5, 0.5)")
    assert "nan" not in page(section(plan))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"responders": 9, "of": 8, "prior": (0.0, 1.0)}, ["--responders", "--prior"]),
        ({"responders": 3}, ["--of"]),
        ({"of": 0, "responders": 0}, ["--of"]),
        ({"responders": 3, "of": 8, "run": Path("x"), "model": ["m"]}, ["--run", "--model"]),
        ({"run": Path("nowhere"), "prior": (1.0, 1.0), "category": "none"}, ["--prior", "--cat"]),
        ({"patients": [0], "withdrawal": [1.0], "handling": "x"}, ["--n", "--with", "--hand"]),
        ({"confidence": [0.0], "week": -1.0}, ["--confidence", "--week"]),
    ],
)
def test_bad_options_are_all_named(options, named) -> None:
    with pytest.raises(InputError) as caught:
        run_design(**options)
    places = [problem.file for problem in caught.value.problems]
    for name in named:
        assert any(place.startswith(name) for place in places)


def test_a_run_that_cannot_be_read_is_refused(folder, tmp_path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        run_design(tmp_path / "none")
    with pytest.raises(InputError, match="proteinuria, remission"):
        run_design(folder, model=["lymphocytes"])
    damaged = stored_run(tmp_path / "damaged")
    (damaged / "posterior" / "remission.nc").write_bytes(b"not netCDF")
    with pytest.raises(InputError, match="remission.nc"):  # noqa: RUF043
        run_design(damaged)


def test_the_category_comes_first_and_the_week_holds_for_all() -> None:
    card = chosen_rules(category="effective", week=4.0, patients=[15])
    assert [rule.name for rule in card.rule] == ["effective", "remission", "proteinuria"]
    assert {rule.week for rule in card.rule} == {4.0}
    assert card.next_trial.patients == (15,)
    assert card.next_trial.withdrawal == CARD.next_trial.withdrawal


def test_the_section_holds_what_the_rule_says(plan) -> None:
    found = section(plan)
    assert found is not None
    assert found.verdict == plan.main.verdict
    assert [row[0] for row in found.criteria.rows] == ["Significance", "Relevance"]
    assert len(found.trials.rows) == len(found.pooled.rows) == 4
    assert [picture.name for picture in found.pictures] == list(design_figures(plan))
    assert len(found.prospects) == 4
    text = page(found)
    for banned in ("effect of treatment", "treatment effect", "nan"):
        assert banned not in text.lower()


def test_a_run_without_a_share_rule_or_markers_still_has_a_section() -> None:
    lymphocytes = evidence_from(make_tree(markers=("cd3", "cd4"), draws=20), "lymphocytes")
    plan = plan_evidence([lymphocytes], DEFINITIONS, short(), "a test", False)
    assert not any(one.verdict for one in plan.decisions)
    assert design_figures(plan) == {}
    text = page(section(plan))
    assert f"needs {PROTEIN}" in text
    ratios = short().model_copy(update={"rule": CARD.rule[2:]})
    assert plan_counts(1, 8, Beta(1, 1), DEFINITIONS, ratios) is None
    with_protein = evidence_from(make_tree(markers=(PROTEIN,), draws=20), "proteinuria")
    only = plan_evidence([with_protein], DEFINITIONS, ratios, "a test", False)
    assert only.main.verdict
    assert only.rule is None
    assert "The next trial" not in page(section(only))


@pytest.mark.parametrize("counted", [False, True])
def test_pictures_say_what_they_show(plan, counted) -> None:
    shown = plan_counts(4, 8, Beta(1, 1), DEFINITIONS, short()) if counted else plan
    figures = design_figures(shown)
    assert list(figures) == ["share", "assurance", "rule_characteristics"]
    for figure in figures.values():
        texts = " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")
        assert ("Synthetic cohort" in texts) == (not counted)
    # counts over both denominators, the model's median and the next patient
    (ax,) = figures["share"].axes
    drawn = [x for line in ax.lines if line.get_marker() in "oD" for x in line.get_xdata()]
    expected = []
    for one in shown.shares:
        assert one.counts is not None
        of = {one.counts.evaluable, one.counts.enrolled}
        expected += [one.counts.responders / total for total in of]
        expected += [one.model[0], one.coming]
    assert sorted(drawn) == pytest.approx(sorted(100 * x for x in expected))
    words = finding(shown.shares)
    assert f"{shown.seen.responders} of {shown.seen.evaluable} measured" in words
    # the median is that of the decision
    assert shown.shares[0].model[0] == pytest.approx(shown.planned.interval[0], abs=1e-9)


def test_no_colour_of_a_picture_stands_for_two_things(plan) -> None:
    figures = design_figures(plan)
    colors = [{line.get_color() for line in ax.lines} for ax in figures["assurance"].axes]
    alone, pooled, by_confidence = colors
    assert alone == pooled
    assert not alone & by_confidence
    trial = plan.card.next_trial
    assert (len(alone), len(by_confidence)) == (len(trial.withdrawal), len(trial.confidence))
    # the key gives every line and area its colour, and no colour twice
    for name in ("assurance", "rule_characteristics"):
        (key,) = figures[name].legends
        named = [line.get_color() for line in key.get_lines()]
        named += [patch.get_facecolor() for patch in key.get_patches()]
        named = [color for color in named if color != style.GREY]  # of whatever colour
        assert len(set(named)) == len(named)
    named = {line.get_color() for line in figures["assurance"].legends[0].get_lines()}
    assert alone | by_confidence < named


def test_the_decision_is_drawn_into_axes_of_ones_own(plan) -> None:
    figure = Figure()
    ax, other = figure.subplots(1, 2)
    assert share(plan.shares, "m", (), True, title=plan.planned.verdict, ax=ax) is figure
    assert plan.planned.verdict in ax.get_title("left")
    assert "Synthetic cohort" in ax.get_title("left")
    assert len(other.lines) == 0


def test_a_run_of_other_definitions_is_judged_by_its_own_rule() -> None:
    other = load_definitions("fall_by_half").of_markers(MARKERS, {}, "albumin")
    card = chosen_rules(own=rules_for(other))
    assert [rule.category for rule in card.rule if rule.quantity == "share"] == [other.primary]
    assert chosen_rules(own=rules_for(DEFINITIONS)) == load_rules()
