"""Draws from the prior alone: closed forms, and what is called implausible."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from cohorts import small_cohort_frames, write_cohort
from scipy import stats
from typer.testing import CliRunner

from mnbayes.analyses.priors.figure import prior_ranges
from mnbayes.analyses.priors.predictive import (
    PriorDraws,
    implausible,
    level_table,
    prior_draws,
    prior_predictive,
    ratio_table,
    response_table,
)
from mnbayes.analyses.priors.section import predictives
from mnbayes.analyses.priors.shared import prior_frame, shared_priors, shared_table
from mnbayes.analyses.priors.tables import levels_frame, levels_once
from mnbayes.answers.result import Result
from mnbayes.cards.card import Card, available_cards, load_card
from mnbayes.cards.definitions import load_definitions
from mnbayes.cards.marker_card import marker_card
from mnbayes.cards.overrides import with_priors
from mnbayes.cli import app
from mnbayes.data.markers import MARKERS
from mnbayes.run.run import Run

PROTEINURIA, REMISSION = load_card("proteinuria"), load_card("remission")
DEFINITIONS = load_definitions()
#: All spreads but those of the typical patient gone, so that the next patient is a typical one.
STILL = [f"{sd}.sigma=1e-9" for sd in ("baseline_sd", "change_sd", "visit_sd", "serial_sd")]
STILL.append("residual_sd.mu=-25")


def draws_of(typical: list[list[float]], patient: list[list[float]]) -> PriorDraws:
    """Levels of 24-h protein (draw, visit) as draws of one marker at weeks 0 and 12."""
    values = [np.log(np.array(levels, dtype=float))[:, :, None] for levels in (typical, patient)]
    return PriorDraws(("urine_protein_24h",), (0.0, 12.0), values[0], values[1])


def test_a_typical_patient_is_the_prior_s_median() -> None:
    # exp(1.386) = 4.0; its 95 % interval exp(1.386 -+ 1.96 * 0.75).
    row = prior_predictive(PROTEINURIA, DEFINITIONS, n=40_000).levels.iloc[0]
    assert row["typical_median"] == pytest.approx(4.0, rel=0.02)
    assert row["typical_lower"] == pytest.approx(np.exp(1.386 - 1.96 * 0.75), rel=0.03)
    assert row["typical_upper"] == pytest.approx(np.exp(1.386 + 1.96 * 0.75), rel=0.03)
    above = stats.norm.sf((np.log(30) - 1.386) / 0.75)
    assert row["typical_above"] == pytest.approx(above, abs=4 * np.sqrt(above / 40_000))


def test_without_spread_the_next_patient_is_typical() -> None:
    draws = prior_draws(with_priors(PROTEINURIA, settings=STILL), n=500)
    np.testing.assert_allclose(draws.patient, draws.typical, atol=1e-6)
    change = draws.typical[:, 1:, 0] - draws.typical[:, :1, 0]
    assert stats.kstest(change[:, 0], stats.norm(0, 0.7).cdf).pvalue > 1e-4
    np.testing.assert_allclose(change, np.repeat(change[:, :1], 4, axis=1), atol=1e-6)


def test_variances_of_the_next_patient_add_up() -> None:
    # A half-normal(s) SD contributes s^2 on average, a log-normal one exp(2 mu + 2 sigma^2); at
    # baseline there is no change.
    draws = prior_draws(PROTEINURIA, n=60_000)
    variance = draws.patient.var(axis=0)[:, 0]
    residual = np.exp(2 * -1.309 + 2 * 0.35**2)
    at_baseline = 0.75**2 + 0.51**2 + residual + 0.3**2
    assert variance[0] == pytest.approx(at_baseline, rel=0.05)
    # Change and baseline of a patient are uncorrelated on average over LKJ.
    assert variance[1:] == pytest.approx(at_baseline + 0.7**2 + 0.51**2 + 0.5**2, rel=0.05)


def test_a_shift_of_a_prior_is_no_monte_carlo_error() -> None:
    moved = with_priors(REMISSION, settings=["baseline_mean.albumin.mu=4.332"])
    one, two = (prior_draws(card, n=200) for card in (REMISSION, moved))
    np.testing.assert_allclose(two.patient[..., 1] - one.patient[..., 1], 1.0)
    np.testing.assert_array_equal(two.patient[..., 0], one.patient[..., 0])


def test_tables_by_hand() -> None:
    draws = draws_of([[4, 2], [4, 4], [4, 1], [4, 8]], [[40, 20], [4, 2], [4, 1.9], [0.005, 40]])
    levels = level_table(draws)
    assert levels["typical_median"].tolist() == pytest.approx([4, np.sqrt(8)])
    assert levels["patient_above"].tolist() == [0.25, 0.25]
    assert levels["patient_below"].tolist() == [0.25, 0.0]
    ratio = ratio_table(draws).iloc[0]
    assert ratio["median"] == pytest.approx(np.sqrt(0.5))
    assert (ratio["p_fall"], ratio["p_fall_50"]) == (0.5, 0.5)
    # Without albumin only a fall of 15 % counts: 40 to 20, 4 to 2, 4 to 1.9.
    chances = response_table(draws, DEFINITIONS).set_index("category")["probability"]
    assert chances.to_dict() == {"effective": 0.75, "none": 0.25}


def test_a_model_without_protein_has_no_response() -> None:
    found = prior_predictive(load_card("lymphocytes"), DEFINITIONS, n=100)
    assert found.responses.empty
    assert set(found.levels["marker"]) == {"cd3", "cd4", "cd8", "b_cell", "nk_cell"}


@pytest.mark.parametrize("name", available_cards())
@pytest.mark.parametrize("prior_set", ["weak", "sceptical", "enthusiastic"])
def test_shipped_priors_imply_nothing_absurd(name: str, prior_set: str) -> None:
    found = prior_predictive(with_priors(load_card(name), prior_set), DEFINITIONS)
    assert found.implausible == ()


def test_prior_sets_imply_what_they_say() -> None:
    def median(card: Card, marker: str) -> float:
        table = prior_predictive(card, DEFINITIONS).ratios
        return float(table.query("marker == @marker and week == 12")["median"].iloc[0])

    enthusiastic = with_priors(REMISSION, "enthusiastic")
    assert median(enthusiastic, "urine_protein_24h") == pytest.approx(0.447, abs=0.02)
    assert median(enthusiastic, "albumin") == pytest.approx(1.21, abs=0.02)
    sceptical = with_priors(REMISSION, "sceptical")
    assert median(sceptical, "urine_protein_24h") == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        # A median patient at 300 g in 24 hours.
        ("baseline_mean.mu=5.7", "typical patient lies above 30 g/24h at baseline"),
        ("baseline_mean.mu=-6", "typical patient lies below 0.01 g/24h at baseline"),
        ("baseline_sd.sigma=3", "next patient lies above 30 g/24h at baseline"),
        ("change_mean.sigma=3", "typical patient lies above 30 g/24h at a later visit"),
        ("change_sd.sigma=4", "next patient lies above 30 g/24h at a later visit"),
    ],
)
def test_absurd_priors_are_named(setting: str, words: str) -> None:
    found = prior_predictive(with_priors(PROTEINURIA, settings=[setting]), DEFINITIONS)
    assert any(words in sentence for sentence in found.implausible)


def test_thresholds_of_the_verdict() -> None:
    def verdict(typical: int, patient: int) -> int:
        levels = [[100.0, 4.0]] * typical + [[4.0, 4.0]] * (100 - typical)
        measured = [[100.0, 4.0]] * patient + [[4.0, 4.0]] * (100 - patient)
        return len(implausible(level_table(draws_of(levels, measured)), MARKERS))

    assert [verdict(5, 10), verdict(6, 0), verdict(0, 11), verdict(6, 11)] == [0, 1, 1, 1]


@pytest.mark.parametrize("family", ["StudentT", "Normal"])
def test_priors_beyond_every_number_do_not_break_it(family: str) -> None:
    wild = ["change_mean.distribution=StudentT", "change_mean.nu=0.01", "change_mean.mu=0"]
    wild.append("change_mean.sigma=1e200")
    settings = wild if family == "StudentT" else ["change_mean.mu=1e299"]
    found = prior_predictive(with_priors(PROTEINURIA, settings=settings), DEFINITIONS)
    assert found.implausible
    prior_ranges([found])


# --- limits --------------------------------------------------------------------------------------


def test_every_marker_has_limits_with_a_reason() -> None:
    for marker in MARKERS.values():
        assert marker.limits.lower < marker.plausible[1]
        assert marker.limits.upper > marker.plausible[0]
        assert len(marker.limits.why) > 30
        assert marker.source_of_limits


# --- commands ------------------------------------------------------------------------------------


def test_commands_show_and_draw(tmp_path: Path) -> None:
    picture = tmp_path / "belief.png"
    arguments = ["elicit", "change_mean", "90% between 0.3 and 1.1 on gmr", "--plot", str(picture)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "Normal(-0.554, 0.395)" in done.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    picture = tmp_path / "deep" / "prior.svg"
    arguments = ["prior", "--model", "remission", "--plot", str(picture)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "the prior alone, no data" in text
    assert picture.read_bytes().startswith(b"<?xml")


def test_prior_command_names_the_absurd_and_uses_a_cohort_s_visits(tmp_path: Path) -> None:
    patients, measurements = small_cohort_frames(weeks=(0, 3, 26))
    folder = write_cohort(tmp_path / "mine", patients, measurements)
    arguments = ["prior", "--model", "proteinuria", "--data", str(folder)]
    done = CliRunner().invoke(app, [*arguments, "--set", "baseline_mean=90% between 200 and 400"])
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "week 26" in text
    assert "IMPLAUSIBLE" in text
    assert "baseline_mean ~ Normal(5.64" in text


def test_commands_refuse_what_is_wrong(tmp_path: Path) -> None:
    for arguments, message in (
        (["prior", "--plot", "prior.doc"], ".png"),
        (["prior", "--model", "remision"], "did you mean remission?"),
        (["prior", "--priors", "septical"], "did you mean sceptical?"),
        (["prior", "--data", str(tmp_path / "gone")], "gone"),
        (
            ["prior", "--set", "change_mean=90% between 2 and 1", "--model", "proteinuria"],
            "smaller",
        ),
        (["elicit", "change_mean", "often below 1"], "P% between A and B"),
        (["elicit", "change_mean", "90% below 2", "--plot", "x"], ".png"),
    ):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 2, done.output
        assert message in done.stderr
        assert "Traceback" not in done.output


def test_figure_names_the_absurd() -> None:
    absurd = with_priors(PROTEINURIA, settings=["baseline_mean.mu=5.7"])
    figure = prior_ranges([prior_predictive(card, DEFINITIONS) for card in (absurd, REMISSION)])
    assert len(figure.axes) == 3
    assert "IMPLAUSIBLE" in " ".join(figure.get_supxlabel().split())


# --- the report ----------------------------------------------------------------------------------


def result_of(card: Card, *, withheld: bool = False) -> Result:
    """As much of a result as the priors' section looks at."""
    observed = SimpleNamespace(weeks=(0.0, 4.0, 26.0), markers=card.markers)
    fit = SimpleNamespace(
        card=card, required_card=card, observations=observed, sampling=SimpleNamespace(seed=3)
    )
    reasons = ("R-hat",) if withheld else ()
    return cast(Result, SimpleNamespace(fit=fit, withheld=reasons, name=card.name))


def run_of(*results: Result) -> Run:
    return cast(Run, SimpleNamespace(results=results, definitions=DEFINITIONS))


def test_report_tells_what_the_priors_imply() -> None:
    found = predictives(run_of(result_of(REMISSION), result_of(PROTEINURIA)))
    table = levels_once(found, {"remission", "proteinuria"})
    # One row for a marker whose priors the models share.
    assert [row[0] for row in table.rows] == ["24-h urinary protein, g/24h", "Serum albumin, g/L"]
    same = prior_predictive(REMISSION, DEFINITIONS, (0.0, 4.0, 26.0), seed=3).levels.iloc[0]
    assert table.rows[0][1].startswith(f"{same['typical_median']:.3g} (")
    assert {len(row) for row in table.rows} == {len(table.head)}
    frame = levels_frame(found, {"remission", "proteinuria"})
    assert len(frame) == (2 + 1) * 3
    assert frame["found_why"].str.len().min() > 30
    absurd = with_priors(PROTEINURIA, settings=["baseline_mean.mu=5.7"])
    both = predictives(run_of(result_of(REMISSION), result_of(absurd)))
    assert both["proteinuria"][1].implausible
    rows = [row[0] for row in levels_once(both, {"remission"}).rows]
    assert len(rows) == 3  # other numbers: a row of its own, that names its model
    assert sum("(proteinuria)" in row for row in rows) == 1


def test_report_keeps_probabilities_of_a_withheld_model() -> None:
    found = predictives(run_of(result_of(PROTEINURIA, withheld=True)))
    table = levels_once(found, set())
    assert "%" not in " ".join(cell for row in table.rows for cell in row)
    frame = levels_frame(found, set())
    assert frame[["typical_below", "patient_above"]].isna().all(axis=None)
    assert frame["typical_median"].notna().all()


def test_a_prior_that_models_share_is_one_row() -> None:
    cards = [PROTEINURIA, REMISSION, load_card("lymphocytes")]
    rows = shared_priors(cards)
    of = {(row.parameter, tuple(row.models), tuple(row.specs)): row for row in rows}
    shared = of["baseline_mean", ("proteinuria", "remission"), ("urine_protein_24h",)]
    assert shared.distribution == PROTEINURIA.prior["baseline_mean"]["urine_protein_24h"].formula
    subsets = of["baseline_mean", ("lymphocytes",), ("cd3", "cd4", "cd8", "b_cell", "nk_cell")]
    assert subsets.distribution == "Normal(5.26–7.16, 0.4)"
    every = [(c.name, p, m) for c in cards for p in c.parameters for m in c.prior[p]]
    told = [(model, row.parameter, m) for row in rows for m in row.specs for model in row.models]
    assert set(every) <= set(told)
    frame = prior_frame(cards)
    assert list(frame[["model", "parameter", "marker"]].itertuples(index=False, name=None)) == every
    # Another number in one model: two rows.
    changed = with_priors(PROTEINURIA, settings=["change_sd.sigma=0.3"])
    apart = [row for row in shared_priors([changed, REMISSION]) if row.parameter == "change_sd"]
    assert [row.models for row in apart if "urine_protein_24h" in row.specs] == [
        ["proteinuria"],
        ["remission"],
    ]


@pytest.mark.parametrize("made", [False, True])
def test_no_reason_and_no_source_stands_twice(made: bool) -> None:
    if made:
        cards = [Card.model_validate(marker_card(["upcr", "egfr"], MARKERS))]
    else:
        cards = [load_card(name) for name in ("proteinuria", "remission", "lymphocytes", "joint")]
    priors, sources = shared_table(cards, MARKERS)
    reasons = [row[4].partition(" [")[0] for row in priors.rows]
    reasons = [reason for reason in reasons if reason != "as above"]
    assert len(reasons) == len(set(reasons))
    texts = [row[1] for row in sources.rows]
    assert len(texts) == len(set(texts))
    cited = [row[4].rpartition("[")[2].rstrip("]") for row in priors.rows]
    numbers = {number for each in cited for number in each.split(", ")}
    assert numbers == {row[0] for row in sources.rows}
