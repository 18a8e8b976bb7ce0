"""Beliefs: how they are read, what they are fitted to, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from mnbayes.analyses.priors.elicit_command import elicit_prior
from mnbayes.analyses.priors.figure import elicited_prior
from mnbayes.analyses.priors.section import of_belief
from mnbayes.analyses.priors.tables import density_table
from mnbayes.base.problems import InputError
from mnbayes.cards import families as priors
from mnbayes.cards.beliefs import Belief, BeliefError, Quantity, parse_belief
from mnbayes.cards.card import load_card
from mnbayes.cards.definitions import load_definitions
from mnbayes.cards.elicit import elicit, read_prior_belief
from mnbayes.cards.overrides import load_prior_sets, override
from mnbayes.cards.prior_sets import save_belief
from mnbayes.report.terminal import show_section

RATIO = Quantity("change_mean", "change")
LEVEL = Quantity("baseline_mean", "level", "g/24h")
SD = Quantity("change_sd", "sd")
WEEKS = Quantity("serial_weeks", "time")
DF = Quantity("residual_df", "shape")
LKJ = Quantity("correlation", "correlation")
#: 95 % quantile of the standard normal: half of a central 90 % interval's width.
Z95 = 1.6448536269514722


def belief(text: str, quantity: Quantity = RATIO, on: str = "") -> Belief:
    return parse_belief(text, quantity, on)


# --- reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "quantity", "expected"),
    [
        ("90% between 0.3 and 1.1 on gmr", RATIO, (0.9, 0.3, 1.1, None, "gmr")),
        ("90 % between 0.3 and 1.1", RATIO, (0.9, 0.3, 1.1, None, "gmr")),
        ("  90% SURE between .3 and 1.1e0, median 0.6 on GMR ", RATIO, (0.9, 0.3, 1.1, 0.6, "gmr")),
        ("90% between 0% and 70% on fall", RATIO, (0.9, 0, 70, None, "fall")),
        ("90% between −20 % and 70 % on fall", RATIO, (0.9, -20, 70, None, "fall")),
        ("95% below 0.5", SD, (0.95, None, 0.5, None, "sd")),
        ("95% below 0.5 on log", SD, (0.95, None, 0.5, None, "log")),
        ("80% above 2.5 on g/24h", LEVEL, (0.8, 2.5, None, None, "g/24h")),
        ("80% between 1 and 9 g/24h", LEVEL, (0.8, 1, 9, None, "g/24h")),
        ("80% between -1 and 2 on log", LEVEL, (0.8, -1, 2, None, "log")),
        ("50% between 1 and 4 weeks", WEEKS, (0.5, 1, 4, None, "weeks")),
        ("95% above 3 on df", DF, (0.95, 3, None, None, "df")),
    ],
)
def test_what_may_be_written(
    text: str, quantity: Quantity, expected: tuple[float | str | None, ...]
) -> None:
    read = belief(text, quantity)
    assert (read.share, read.lower, read.upper, read.median, read.scale) == pytest.approx(expected)
    assert belief(read.text, quantity) == read  # what is printed can be read again


def test_the_scale_may_stand_beside_the_belief() -> None:
    assert belief("90% between 0% and 70%", on="Fall").scale == "fall"
    assert belief("90% between 0.3 and 1 on gmr", on="gmr").scale == "gmr"
    with pytest.raises(BeliefError, match="names, gmr") as error:
        belief("90% between 0.3 and 1 on gmr", on="fall")
    assert error.value.key == "on"


@pytest.mark.parametrize(
    ("text", "quantity", "message"),
    [
        ("", RATIO, "P% between A and B"),
        ("90 between 0.3 and 1.1", RATIO, "P% between A and B"),
        ("90% between 0,3 and 1,1", RATIO, "P% between A and B"),
        ("90% between 0.3", RATIO, "P% between A and B"),
        ("90% around 0.3", RATIO, "P% between A and B"),
        ("90% below 1 above 0.3", RATIO, "P% between A and B"),
        ("90% below " + "1" * 300, RATIO, "P% between A and B"),
        ("0% below 1", RATIO, "above 0% and below 100%"),
        ("100% below 1", RATIO, "above 0% and below 100%"),
        ("-5% below 1", RATIO, "above 0% and below 100%"),
        ("250% below 1", RATIO, "above 0% and below 100%"),
        ("90% between 1.1 and 0.3", RATIO, "the smaller number first"),
        ("90% between 0.3 and 0.3", RATIO, "the smaller number first"),
        ("90% between -0.3 and 1.1", RATIO, "a ratio above 0"),
        ("90% between 0 and 1.1", RATIO, "a ratio above 0"),
        ("90% below 0", LEVEL, "a level above 0"),
        ("90% below -0.5", SD, "at least 0"),
        ("90% below 1e999", RATIO, "a finite number"),
        ("90% between 0 and 70 on fall", RATIO, "a percentage such as 0% on the scale fall"),
        ("90% between 0% and 70%", RATIO, "a plain number on the scale gmr"),
        ("90% between 0% and 100% on fall", RATIO, "a fall below 100%"),
        ("90% above 130% on fall", RATIO, "a fall below 100%"),
        ("90% between 0.3 and 1.1, median 2", RATIO, "a median between 0.3 and 1.1"),
        ("90% below 1 on gmt", RATIO, "one of gmr, fall, log for change_mean (did you mean gmr?)"),
        ("90% below 1 on g/L", LEVEL, "one of g/24h, log"),
        ("90% below 0.5", LKJ, "set eta"),
    ],
)
def test_contradictions_are_refused_in_words(text: str, quantity: Quantity, message: str) -> None:
    with pytest.raises(BeliefError) as error:
        belief(text, quantity)
    assert message in str(error.value)


# --- fitting, by hand --------------------------------------------------------------------------


def test_ratio_between_two_bounds() -> None:
    # Centre log(0.3 * 1.1) / 2, and half of log(1.1 / 0.3) is 1.645 SDs.
    fitted = elicit(belief("90% between 0.3 and 1.1"), "Normal")
    assert fitted.arguments["mu"] == pytest.approx(np.log(0.33) / 2)
    assert fitted.arguments["sigma"] == pytest.approx(np.log(1.1 / 0.3) / 2 / Z95)
    assert [round(check.achieved, 9) for check in fitted.checks] == [0.9, 0.05, 0.05]
    assert fitted.notes == ()
    assert fitted.formula == "Normal(-0.554, 0.395)"


def test_a_fall_is_the_ratio_turned_round() -> None:
    fall = elicit(belief("90% between 0% and 70% on fall"), "Normal")
    ratio = elicit(belief("90% between 0.3 and 1 on gmr"), "Normal")
    assert fall.arguments == pytest.approx(ratio.arguments)
    above = elicit(belief("80% above 30% on fall"), "Normal", ratio.arguments)
    below = elicit(belief("80% below 0.7 on gmr"), "Normal", ratio.arguments)
    assert above.arguments == pytest.approx(below.arguments)
    assert above.checks[0].achieved == pytest.approx(0.8)


def test_level_on_its_unit_and_on_its_log() -> None:
    unit = elicit(belief("95% between 1 and 15", LEVEL), "Normal")
    log = elicit(belief(f"95% between 0 and {np.log(15):.12f} on log", LEVEL), "Normal")
    assert unit.arguments == pytest.approx(log.arguments)
    assert unit.arguments["mu"] == pytest.approx(np.log(15) / 2)


@pytest.mark.parametrize(
    ("family", "given", "name", "value"),
    [
        # |Z| below 1.959964 SDs with probability 95 %; 1 - exp(-rate 0.5) = 0.95.
        ("HalfNormal", {}, "sigma", 0.5 / 1.959963984540054),
        ("Exponential", {}, "lam", np.log(20) / 0.5),
        ("HalfStudentT", {"nu": 3.0}, "sigma", 0.5 / 3.182446305284263),
    ],
)
def test_one_scale_from_one_side(
    family: str, given: dict[str, float], name: str, value: float
) -> None:
    fitted = elicit(belief("95% below 0.5", SD), family, given)
    assert fitted.arguments[name] == pytest.approx(value)
    assert fitted.checks[0].achieved == pytest.approx(0.95)
    assert elicit(belief("95% between 0 and 0.5", SD), family, given).arguments == fitted.arguments
    other = elicit(belief("5% above 0.5", SD), family, given)
    assert other.arguments == pytest.approx(fitted.arguments)


def test_one_scale_needs_one_statement() -> None:
    for text in ("90% between 0.1 and 0.5", "90% below 0.5, median 0.1", "90% above 0"):
        with pytest.raises(BeliefError, match="one number to fit"):
            elicit(belief(text, SD), "HalfNormal")


def test_student_keeps_its_degrees_of_freedom() -> None:
    fitted = elicit(belief("90% between 0.3 and 1.1"), "StudentT", {"nu": 4.0})
    assert fitted.arguments["nu"] == 4.0
    assert fitted.arguments["sigma"] == pytest.approx(np.log(1.1 / 0.3) / 2 / stats.t(4).ppf(0.95))
    with pytest.raises(BeliefError, match="nu as well"):
        elicit(belief("90% between 0.3 and 1.1"), "StudentT")


def test_one_side_keeps_the_present_median_and_says_so() -> None:
    fitted = elicit(belief("95% below 1"), "Normal", {"mu": -0.5, "sigma": 3.0})
    assert fitted.arguments == pytest.approx({"mu": -0.5, "sigma": 0.5 / Z95})
    assert "The median stays at 0.607" in fitted.notes[0]
    stated = elicit(belief("95% below 1, median 0.5"), "Normal", {"mu": -0.5, "sigma": 3.0})
    assert stated.arguments == pytest.approx({"mu": np.log(0.5), "sigma": np.log(2) / Z95})
    assert stated.notes == ()
    with pytest.raises(BeliefError, match="a second statement"):
        elicit(belief("95% below 1"), "Normal")
    with pytest.raises(BeliefError, match="a bound above the median 1, since half lies below"):
        elicit(belief("95% below 0.8"), "Normal", {"mu": 0.0, "sigma": 1.0})
    with pytest.raises(BeliefError, match="a bound below the median 50 %, since half lies above"):
        elicit(belief("80% above 60%, median 50% on fall"), "Normal")
    with pytest.raises(BeliefError, match="or another 'median M'"):
        elicit(belief("50% below 1, median 0.5"), "Normal")


def test_an_asymmetric_belief_is_not_hidden() -> None:
    fitted = elicit(belief("90% between 0.3 and 1.1, median 0.9"), "Normal")
    inside, below, above, half = fitted.checks
    assert inside.achieved == pytest.approx(0.9)
    assert half.achieved == pytest.approx(0.5)
    assert below.achieved < 0.001
    assert above.achieved == pytest.approx(0.1, abs=0.001)
    assert "0.0 % below 0.3 and 10.0 % above 1.1" in fitted.notes[0]
    centred = elicit(belief(f"90% between 0.3 and 1.1, median {np.sqrt(0.33)}"), "Normal")
    assert centred.notes == ()


def test_times_are_log_normal_and_fitted_as_a_level_is() -> None:
    fitted = elicit(belief("90% between 1 and 10", WEEKS), "LogNormal")
    assert fitted.arguments == pytest.approx({"mu": np.log(10) / 2, "sigma": np.log(10) / 2 / Z95})
    kept = elicit(belief("90% below 10", WEEKS), "LogNormal", {"mu": 1.0, "sigma": 0.8})
    assert kept.arguments["mu"] == 1.0
    assert priors.cdf("LogNormal", kept.arguments, 10.0) == pytest.approx(0.9)
    with pytest.raises(BeliefError, match="a lower number above 0"):
        elicit(belief("90% between 0 and 10", WEEKS), "LogNormal")


def test_gamma_with_a_median() -> None:
    fitted = elicit(belief("90% between 3 and 60, median 20", DF), "Gamma")
    law = stats.gamma(fitted.arguments["alpha"], scale=1 / fitted.arguments["beta"])
    assert law.cdf(20) == pytest.approx(0.5)
    assert law.cdf(60) - law.cdf(3) == pytest.approx(0.9)
    kept = elicit(belief("95% above 3", DF), "Gamma", {"alpha": 2.0, "beta": 0.1})
    law = stats.gamma(kept.arguments["alpha"], scale=1 / kept.arguments["beta"])
    assert law.cdf(3) == pytest.approx(0.05)
    assert law.ppf(0.5) == pytest.approx(stats.gamma(2, scale=10).ppf(0.5))


def test_a_table_of_a_prior() -> None:
    values = {"belief": "90% between 0% and 70%", "on": "fall"}
    read = read_prior_belief(values, RATIO, "Normal", {})
    assert read.belief.text == "90% between 0% and 70% on fall"
    given = read_prior_belief(values | {"nu": 5}, RATIO, "StudentT", {"nu": 3, "mu": 0, "sigma": 1})
    assert given.arguments["nu"] == 5
    for wrong, key in (
        ({"belief": 90}, "belief"),
        ({"on": ["fall"]}, "on"),
        ({"sigma": 1}, "sigma"),
        ({"nu": 3}, "nu"),
    ):
        with pytest.raises(BeliefError) as error:
            read_prior_belief(values | wrong, RATIO, "Normal", {})
        assert error.value.key == key


# --- fitting, in general -----------------------------------------------------------------------

SHARE = st.floats(0.01, 0.99)


@given(share=SHARE, low=st.floats(1e-3, 1e3), factor=st.floats(1.01, 1e3), nu=st.floats(1, 50))
def test_two_bounds_get_their_probability(
    share: float, low: float, factor: float, nu: float
) -> None:
    stated = Belief(share, low, low * factor, None, "gmr", RATIO)
    for family in ("Normal", "StudentT"):
        for check in elicit(stated, family, {"nu": nu}).checks:
            assert check.achieved == pytest.approx(check.stated, abs=1e-9)


@given(
    share=SHARE,
    ends=st.tuples(st.floats(-300, 99), st.floats(-300, 99)),
    weight=st.floats(0.05, 0.95),
)
def test_a_stated_median_is_kept(share: float, ends: tuple[float, float], weight: float) -> None:
    low, high = sorted(ends)
    assume(high - low > 0.1)
    stated = Belief(share, low, high, low + weight * (high - low), "fall", RATIO)
    inside, *_, half = elicit(stated, "Normal").checks
    assert inside.achieved == pytest.approx(share, abs=1e-6)
    assert half.achieved == pytest.approx(0.5, abs=1e-9)


@given(share=SHARE, bound=st.floats(1e-6, 1e6), above=st.booleans())
def test_one_bound_gets_its_probability(share: float, bound: float, above: bool) -> None:
    ends = (bound, None) if above else (None, bound)
    stated = Belief(share, *ends, None, "sd", SD)
    for family in ("HalfNormal", "HalfStudentT", "Exponential"):
        fitted = elicit(stated, family, {"nu": 3.0})
        assert fitted.checks[0].achieved == pytest.approx(share, abs=1e-9)


# --- against PreliZ ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "text", "quantity", "given"),
    [
        ("Normal", "90% between 0.3 and 1.1", RATIO, {}),
        ("HalfNormal", "95% below 0.5", SD, {}),
        pytest.param(
            "StudentT", "90% between 0.3 and 1.1", RATIO, {"nu": 4.0}, marks=pytest.mark.slow
        ),
        pytest.param("HalfStudentT", "90% below 0.5", SD, {"nu": 3.0}, marks=pytest.mark.slow),
        pytest.param("Exponential", "95% below 0.5", SD, {}, marks=pytest.mark.slow),
        pytest.param("Gamma", "90% between 3 and 60", DF, {}, marks=pytest.mark.slow),
    ],
)
def test_closed_forms_are_preliz_s_maximum_entropy(
    family: str, text: str, quantity: Quantity, given: dict[str, float]
) -> None:
    fitted = elicit(belief(text, quantity), family, given)  # imports PreliZ for a gamma, quietly
    import preliz

    low, high = fitted.belief.bounds
    law, low = getattr(preliz, family)(**given), 0.0 if low is None else low
    own = preliz.maxent(law, low, high, fitted.belief.share, plot=False)
    for name, value in fitted.arguments.items():
        assert getattr(own, name) == pytest.approx(value, rel=2e-3)


# --- the command -------------------------------------------------------------------------------


def test_consequences_under_the_prior_alone() -> None:
    found = elicit_prior("change_mean", "90% between 0.3 and 1.1 on gmr", load_definitions())
    assert (found.card.name, found.name) == ("remission", "change_mean.urine_protein_24h")
    ratio = found.with_belief.ratios.query("marker == 'urine_protein_24h' and week == 12").iloc[0]
    # Mean -0.554; SD 0.395 of the mean change and a half-normal(0.5) visit SD together.
    assert ratio["median"] == pytest.approx(0.574, abs=0.03)
    normal = np.random.default_rng(1).standard_normal((3, 400_000))
    log_ratio = 0.395 * normal[0] + 0.5 * np.abs(normal[1]) * normal[2]
    width = np.exp(2 * np.quantile(log_ratio, 0.975))
    assert ratio["upper"] / ratio["lower"] == pytest.approx(width, rel=0.08)
    # The card's own prior has the same random numbers: baselines agree to the last digit.
    both = (found.without, found.with_belief)
    one, other = (each.levels.query("week == 0")["typical_median"] for each in both)
    assert one.tolist() == other.tolist()
    before, week = (
        each.responses.query("week == 12").set_index("category")["probability"] for each in both
    )
    assert week["remission"] > before["remission"] + 0.1
    assert week["remission"] == pytest.approx(week["complete"] + week["partial"])


def test_the_smallest_card_that_uses_a_prior_answers() -> None:
    definitions = load_definitions()
    names = {
        "common_change": ("90% between 0.7 and 1.4", "lymphocytes", "common_change"),
        "baseline_mean.cd3": ("90% between 500 and 2000", "lymphocytes", "baseline_mean.cd3"),
        "change_mean.cd3": ("90% between 0.7 and 1.4", "joint", "change_mean.cd3"),
        "serial_weeks": ("90% between 1 and 8", "remission", "serial_weeks"),
        "covariate_slope.albumin": (
            "90% between 0.7 and 1.4",
            "remission",
            "covariate_slope.albumin",
        ),
    }
    for name, (text, card, written) in names.items():
        found = elicit_prior(name, text, definitions)
        assert (found.card.name, found.name) == (card, written)
        assert found.used == (name != "covariate_slope.albumin")
    one = elicit_prior("change_sd", "95% below 0.8", definitions, "proteinuria", ["sceptical"])
    assert one.name == "change_sd"
    assert one.card.prior["change_mean"]["urine_protein_24h"].arguments["sigma"] == 0.2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("change_maen", "90% below 2", "did you mean change_mean"),
        ("change_mean.albumen", "90% below 2", "did you mean albumin?"),
        ("correlation.cd3", "90% below 2", "correlation by itself"),
        ("correlation", "90% below 0.5", "set eta"),
        ("change_mean", "90% below 0.5", "a bound above the median 1"),
        ("", "90% below 0.5", "unknown prior"),
    ],
)
def test_a_belief_without_a_place_is_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        elicit_prior(name, text, load_definitions())
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("change_mean", "90% between 10% and 75%, median 60% on fall"),
        ("change_sd.albumin", "95% below 0.3"),
        ("serial_weeks", "90% between 1 and 8 weeks"),
        ("covariate_slope.albumin", "90% between 0.7 and 1.4"),
        ("baseline_mean", "90% between 1e-200 and 1e200"),
    ],
)
def test_shown_and_drawn(name: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = elicit_prior(name, text, load_definitions())
    show_section(of_belief(found))
    out = capsys.readouterr().out
    assert "effect" not in out.replace("effective", "")
    assert ("switched off" in out) == (name == "covariate_slope.albumin")
    if "1e200" in text:
        assert "IMPLAUSIBLE" in out
    figure = elicited_prior(found)
    assert "no patient and no data" in " ".join(figure.get_supxlabel().split())
    assert len(figure.axes) == 3


def test_density_rows_show_the_stated_probability() -> None:
    found = elicit_prior("change_mean", "90% between 0.3 and 1.1", load_definitions())
    rows = [bar for _, bar in density_table(found).rows]
    solid, hatched = ("".join(rows).count(sign) for sign in "█░")
    assert solid / (solid + hatched) == pytest.approx(0.9, abs=0.06)


def test_a_saved_belief_is_a_prior_set_that_says_the_same(tmp_path: Path) -> None:
    path, belief = tmp_path / "mine.toml", "90% between 0.3 and 1.1 on gmr"
    found = elicit_prior("change_mean", belief, model="proteinuria")
    save_belief(path, found.parameter, found.marker, belief)
    (card,) = override([load_card("proteinuria")], load_prior_sets(["weak", path]), [])
    assert card.priors_sha256 == found.card.priors_sha256
    with pytest.raises(InputError, match="nothing is overwritten"):
        save_belief(path, found.parameter, found.marker, belief)
