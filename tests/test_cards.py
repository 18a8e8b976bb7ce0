"""Cards and prior overrides: what they say, and what they refuse."""

from pathlib import Path

import pytest
from runs import edited

from mnbayes.base.problems import InputError
from mnbayes.base.resources import models_folder
from mnbayes.cards import card as cards
from mnbayes.cards import overrides

SHIPPED = models_folder() / "proteinuria.toml"


@pytest.mark.parametrize("name", cards.available_cards())
def test_every_prior_is_explained_and_sourced(name: str) -> None:
    card = cards.load_card(name)
    for table in card.prior.values():
        for spec in table.values():
            assert "$" not in spec.explained
            assert len(spec.why) > 15
            assert spec.source


def test_meaning_is_worked_out_from_the_numbers() -> None:
    card = cards.load_card("proteinuria")
    spec = card.prior["change_mean"]["urine_protein_24h"]
    # exp(-1.96 * 0.7) = 0.254, exp(1.96 * 0.7) = 3.94
    assert "between 0.254 and 3.94" in spec.explained
    narrower = overrides.with_priors(card, settings=["change_mean.sigma=0.2"])
    assert "between 0.676 and 1.48" in narrower.prior["change_mean"]["urine_protein_24h"].explained


def test_meanings_of_counts_have_no_exponent() -> None:
    said = cards.load_card("lymphocytes").prior["baseline_mean"]["cd3"].explained
    # exp(7.155 + 1.96 * 0.4) = 2805, in three digits.
    assert said == "typical baseline between 585 and 2800 cells/uL, around 1280"


def test_unknown_card_names_the_ones_that_exist() -> None:
    with pytest.raises(InputError, match=r"one of joint, lymphocytes, proteinuria, remission"):
        cards.load_card("protinuria")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sigma = 0.75", "sigma = -0.75", "found -0.75; expected sigma must be above 0"),
        ("sigma = 0.75", "", "found mu; expected Normal takes mu, sigma"),
        ("sigma = 0.75", "sigma = nan", "finite"),
        ('distribution = "Normal"', 'distribution = "InverseGamma"', "unknown distribution"),
        (
            'distribution = "Normal"\nmu = 1.386',
            'distribution = "Exponential"\nlam = 2',
            "takes lam",
        ),
        ("[priors.baseline_sd.", "[priors.basline_sd.", 'unknown parameter "basline_sd"'),
        ('markers = ["urine_protein_24h"]', 'markers = ["protein"]', "different names from"),
        ('residual = "normal"', 'residual = "gaussian"', "'normal' or 'student_t'"),
        ('title = "', 'colour = "red"\ntitle = "', "colour"),
        ('name = "proteinuria"', "name = ", "TOML"),
    ],
)
def test_bad_cards_are_refused_in_words(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        cards.load_card(edited(tmp_path, SHIPPED, (old, new)))
    assert message in str(error.value)
    assert "mine.toml" in str(error.value)


def test_all_problems_of_a_card_at_once(tmp_path: Path) -> None:
    path = edited(
        tmp_path, SHIPPED, ("sigma = 0.75", "sigma = -1"), ("sigma = 0.7\n", "sigma = -2\n")
    )
    with pytest.raises(InputError) as error:
        cards.load_card(path)
    assert "found -1" in str(error.value)
    assert "found -2" in str(error.value)


def test_hash_changes_with_a_prior_and_only_then() -> None:
    card = cards.load_card("proteinuria")
    assert card.sha256 == cards.load_card("proteinuria").sha256
    assert overrides.with_priors(card, "weak").sha256 == card.sha256
    assert overrides.with_priors(card, "sceptical").sha256 != card.sha256


def test_full_and_short_names() -> None:
    one, two = cards.load_card("proteinuria"), cards.load_card("remission")
    full = overrides.parse_setting("change_mean.urine_protein_24h.sigma=0.3")
    short = overrides.parse_setting("change_mean.sigma=0.3")
    applied = [card.name for card, _ in overrides.applies_to([one, two], full)]
    assert applied == ["proteinuria", "remission"]
    assert [card.name for card, _ in overrides.applies_to([one, two], short)] == ["proteinuria"]
    shared = overrides.with_priors(two, settings=["correlation.eta=4"])
    assert shared.prior["correlation"][""].arguments == {"eta": 4.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("change_maen.sigma=0.3", "did you mean change_mean.sigma?"),
        ("change_mean.sgima=0.3", "Normal takes mu, sigma"),
        ("change_mean.sigma=-0.3", "a number above 0"),
        ("change_mean.sigma=nan", "a finite number"),
        ("change_mean.mu=inf", "a finite number"),
        ("change_mean.sigma=big", "expected a number"),
        ("change_mean.sigma", "NAME.ARG=VALUE"),
        ("=1", "NAME.ARG=VALUE"),
    ],
)
def test_bad_settings_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        overrides.with_priors(cards.load_card("proteinuria"), settings=[text])
    assert message in str(error.value)


def test_changing_the_family_needs_its_arguments() -> None:
    card = cards.load_card("proteinuria")
    change = overrides.Change("change_sd", "", {"distribution": "Exponential"}, "mine.toml")
    with pytest.raises(InputError, match="Exponential takes lam"):
        overrides.apply_changes([card], [change], strict=True)
    values = {"distribution": "Exponential", "lam": 2}
    change = overrides.Change("change_sd", "", values, "mine.toml")
    new = overrides.apply_changes([card], [change], strict=True)[0]
    assert new.family("change_sd") == "Exponential"


def test_unknown_prior_set_names_the_ones_that_exist() -> None:
    with pytest.raises(InputError, match=r"sceptical, weak"):
        overrides.load_prior_set("optimist")
