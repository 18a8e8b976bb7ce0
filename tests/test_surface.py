"""What a person at a prompt meets: public names, screens, figures, opened and compared runs."""

from __future__ import annotations

import ast
import html
import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import runs
from matplotlib.figure import Figure

import mnbayes as mn
from mnbayes.analyses.catalogue import catalogue
from mnbayes.base.display import LINES, WIDTH
from mnbayes.base.resources import embedded_cohort_folder, models_folder

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "first_steps.ipynb"
PROTEIN = "urine_protein_24h"


@pytest.fixture(scope="module")
def result(proteinuria: mn.Fit) -> mn.Result:
    return mn.summarise(proteinuria)


@pytest.fixture(scope="module")
def withheld(proteinuria: mn.Fit) -> mn.Result:
    bad = replace(proteinuria.diagnostics, reasons=("R-hat 1.5 <b>is</b> not below 1.01",))
    return mn.summarise(replace(proteinuria, diagnostics=bad))


@pytest.fixture(scope="module")
def run(cohort: mn.Cohort, result: mn.Result) -> mn.Run:
    bare = mn.Run(cohort, mn.load_definitions(), (result,), "weak")
    return runs.with_sections(bare, only=("results", "computation", "limitations"))


@pytest.fixture(scope="module")
def folder(run: mn.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mnbayes.run.manifest import model_manifest, sections_manifest

    models = {result.name: model_manifest(result) for result in run.results}
    described = {"synthetic": True, "converged": True, "prior_set": "weak", "models": models}
    place = tmp_path_factory.mktemp("runs") / "one"
    runs.write(replace(run, manifest=described | sections_manifest(run)), place)
    (place / "report.html").write_text("<html></html>")
    return place


@pytest.fixture(scope="module")
def refit(proteinuria_card: mn.Card, cohort: mn.Cohort) -> mn.Fit:
    """With the same seed and a narrower prior of the change."""
    card = mn.with_priors(proteinuria_card, settings=["change_mean.sigma=0.2"])
    return mn.fit(card, cohort, mn.Sampling(seed=1))


def fits_a_screen(shown: object) -> str:
    text = repr(shown)
    lines = text.splitlines()
    assert len(lines) <= LINES, text
    assert max(map(len, lines)) <= WIDTH, text
    return text


def words(markup: str) -> str:
    """The texts of some HTML, with one space between them."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


# Public names


def test_public_names_are_those_of_the_stub() -> None:
    stub = ast.parse((ROOT / "src" / "mnbayes" / "__init__.pyi").read_text())
    named = [
        (n.module, a.name) for n in stub.body if isinstance(n, ast.ImportFrom) for a in n.names
    ]
    assert len({name for _, name in named}) == len(named)
    assert sorted(name for _, name in named) == sorted(mn.__all__)
    assert [name for name in dir(mn) if not name.startswith("__")] == sorted(mn.__all__)
    assert all(getattr(mn, name) is not None for name in mn.__all__)
    with pytest.raises(AttributeError):
        mn.no_such_name  # noqa: B018


def test_an_own_section_needs_public_names_alone(run: mn.Run) -> None:
    def count(run: mn.Run) -> mn.Section:
        frame = pd.DataFrame({"model": [r.name for r in run.results], "patients": 8})
        return mn.Section("count", "Count", tables={"count": mn.Tidy(frame, keys=("model",))})

    mn.register_section(mn.Analysis("count", "Count", count))
    try:
        assert "count" in [analysis.name for analysis in catalogue()]
        assert count(run).tables["count"].frame["model"].tolist() == ["proteinuria"]
    finally:
        mn.unregister_section("count")


# Screens


def test_a_cohort_shows_its_patients_and_markers(cohort: mn.Cohort) -> None:
    text = fits_a_screen(cohort)
    for part in ("8 patients", "SYNTHETIC", "MN01 (week 8)", *cohort.markers):
        assert part in text
    own = replace(cohort, synthetic=False, source="<script>alert('x')</script>\n\x1b[31m")
    assert "SYNTHETIC" not in repr(own)
    assert "\x1b" not in repr(own)
    assert "<script>" not in own._repr_html_()


def test_a_fit_shows_whether_it_converged(proteinuria: mn.Fit, withheld: mn.Result) -> None:
    text = fits_a_screen(proteinuria)
    check = proteinuria.diagnostics
    for part in ("4 chains × 1,000", f"{check.worst_rhat:.3f}", f"{check.worst_ess_bulk:,.0f}"):
        assert part in text
        assert part in words(proteinuria._repr_html_())
    assert "R-hat 1.5" in fits_a_screen(withheld.fit)


def test_a_result_shows_its_main_answers(result: mn.Result) -> None:
    text = fits_a_screen(result)
    last = result.estimates.set_index("week").loc[12.0]
    for of in ("", "_prior"):
        ends = (last[f"gmr_{end}{of}"] for end in ("median", "lower", "upper"))
        middle, low, high = (f"{end:.2f}" for end in ends)
        assert f"{middle} ({low} to {high})" in text
    rows = result.probabilities.query("quantity == 'next_patient' and week == 12")
    effective = rows.set_index("category").loc["effective", "probability"]
    assert f"{100 * effective:.0f} %" in text


def test_withheld_numbers_are_on_no_screen(result: mn.Result, withheld: mn.Result) -> None:
    for text in (fits_a_screen(withheld), words(withheld._repr_html_())):
        assert "R-hat 1.5" in text
        assert " to " not in text
        assert "%" not in text
    assert "<b>" not in withheld._repr_html_()
    both = mn.compare(result, withheld)
    median = result.estimates.set_index("week").loc[12.0, "gmr_median"]
    assert f"{median:.2f}" not in fits_a_screen(both)
    assert both.numbers["quantity"].isin(["observed"]).all()


# Figures


def test_figures_are_methods(result: mn.Result) -> None:
    listed = {name for name in dir(result.plot) if not name.startswith("_")}
    drawn = {
        each.name.removesuffix(f"_{PROTEIN}") for each in runs.drawn(result, mn.load_definitions())
    }
    assert listed == drawn
    assert {"trajectories", "gmr_by_visit", "arrows", "tipping_curve"} <= listed
    figure = result.plot.trajectories()
    assert isinstance(figure, Figure)
    assert len(result.plot.trajectories(marker=PROTEIN).axes) == len(figure.axes)
    fits_a_screen(result.plot)


def test_a_figure_that_does_not_apply_says_why(result: mn.Result, withheld: mn.Result) -> None:
    assert not hasattr(result.plot, "subset_forest")
    with pytest.raises(AttributeError, match="needs lymphocyte subsets"):
        result.plot.subset_forest()
    with pytest.raises(AttributeError, match="did you mean arrows"):
        result.plot.arows()
    with pytest.raises(AttributeError, match=r"withheld.*R-hat"):
        withheld.plot.gmr_by_visit()
    with pytest.raises(mn.InputError, match="one of urine_protein_24h"):
        result.plot.trajectories(marker="albumin")
    with pytest.raises(AttributeError, match="summarise"):
        _ = replace(result, plots=None).plot


def test_every_figure_is_declared_by_its_analysis(result: mn.Result, cohort: mn.Cohort) -> None:
    how = mn.Shown(mn.load_definitions(), cohort.synthetic)
    for analysis in catalogue():
        if analysis.figures is not None:
            names = {d.name.removesuffix(f"_{PROTEIN}") for d in analysis.figures(result, how)}
            assert names <= set(analysis.draws), analysis.name
            assert analysis.draws, analysis.name


def test_figures_know_definitions_and_cohort_after_pickling(result: mn.Result) -> None:
    back = pickle.loads(pickle.dumps(result))
    assert set(dir(back.plot)) == set(dir(result.plot))

    assert "SYNTHETIC" in runs.texts(back.plot.gmr_by_visit()).upper()
    own = replace(result.fit.cohort, synthetic=False)
    measured = replace(result, fit=replace(result.fit, cohort=own))
    assert "SYNTHETIC" not in runs.texts(measured.plot.gmr_by_visit()).upper()


# Fitting from names and paths


def test_fit_takes_names_and_paths(proteinuria: mn.Fit, cohort: mn.Cohort) -> None:
    card = models_folder() / "proteinuria.toml"
    fitted = mn.fit(card, str(embedded_cohort_folder()), mn.Sampling(seed=1))
    name = "visit_change"
    one, other = (each.tree["posterior"][name].to_numpy() for each in (fitted, proteinuria))
    np.testing.assert_array_equal(one, other)
    assert mn.embedded_cohort().sha256 == cohort.sha256
    with pytest.raises(mn.InputError) as error:
        mn.fit("protein", "nowhere")
    assert len(error.value.problems) == 2


# Opened runs


def test_an_opened_run_has_what_was_written(folder: Path, run: mn.Run, result: mn.Result) -> None:
    opened = mn.open_run(folder)
    assert set(opened.tables) == set(run.tables)
    assert opened.tables["estimates"]["gmr_median"].tolist() == pytest.approx(
        result.estimates["gmr_median"].tolist(), rel=1e-15
    )
    assert opened.models == ("proteinuria",)
    assert opened.sections["results"] == "Change and response"
    assert opened.converged
    assert opened.report == folder / "report.html"
    tree = opened.posterior("proteinuria")
    stored, drawn = (t["posterior"]["change_mean"] for t in (tree, result.fit.tree))
    np.testing.assert_array_equal(stored.to_numpy(), drawn.to_numpy())
    tree.close()


def test_what_is_no_run_is_refused(tmp_path: Path, folder: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere", NOTEBOOK):
        with pytest.raises(mn.InputError):
            mn.open_run(place)
    with pytest.raises(mn.InputError, match="did you mean proteinuria"):
        mn.open_run(folder).posterior("protinuria")


# Comparisons


def test_two_fits_are_compared_as_two_runs_are(result: mn.Result, refit: mn.Fit) -> None:
    found = mn.compare(result, refit, names=("weak", "narrow"))
    priors = found.priors[["parameter", "marker", "a", "b"]].to_numpy().tolist()
    assert priors == [["change_mean", PROTEIN, "Normal(0, 0.7)", "Normal(0, 0.2)"]]
    row = found.numbers.query("column == 'gmr_median' and week == 12").iloc[0]
    a, b = (
        fitted.estimates.set_index("week").loc[12.0, "gmr_median"]
        for fitted in (result, mn.summarise(refit))
    )
    assert row["difference"] == pytest.approx(np.log(b / a))
    # A prior around no change pulls the ratio towards 1.
    assert b > a
    assert row["verdict"] == "changed"
    assert found.post_hoc == ""
    assert f"{a:.2f}" in fits_a_screen(found)


def test_folders_and_memory_give_the_same_comparison(folder: Path, result: mn.Result) -> None:
    by_path, opened = mn.compare(folder, folder), mn.compare(mn.open_run(folder), folder)
    pd.testing.assert_frame_equal(by_path.numbers, mn.compare_runs(folder, folder).numbers)
    pd.testing.assert_frame_equal(by_path.numbers, opened.numbers)
    mixed = mn.compare(folder, result)
    own = mixed.numbers[mixed.numbers["table"] == "estimates"]
    assert len(own) == result.estimates.drop(columns=["model", "marker", "week"]).size
    assert (own["a"] == own["b"]).all()


def test_fits_of_different_models_are_not_compared(result: mn.Result) -> None:
    other = replace(result.fit, card=result.fit.card.model_copy(update={"name": "other"}))
    with pytest.raises(mn.InputError, match="a fit of other"):
        mn.compare(result, other)


# The notebook


def test_the_notebook_runs_and_keeps_no_output() -> None:
    import matplotlib.pyplot as plt

    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    space: dict[str, object] = {}
    with mpl.rc_context(), plt.rc_context({"backend": "agg"}):
        for cell in code:
            exec("".join(cell["source"]), space)
    plt.close("all")
    comparison = space["comparison"]
    assert isinstance(comparison, mn.Comparison)
    assert set(comparison.priors["parameter"]) >= {"change_mean"}


def test_modules_of_ours_are_imported_at_the_head_outside_commands() -> None:
    hidden = [
        f"{path.relative_to(ROOT)}:{line.lineno}"
        for path in (ROOT / "src").rglob("*.py")
        if path.parent.name != "cli"
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for line in ast.walk(function)
        if isinstance(line, ast.ImportFrom) and (line.module or "").startswith("mnbayes")
    ]
    assert hidden == []
