"""In which order cards are worked on, which repeat others, and markers fitted by themselves."""

from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import simulate_cohort

from mnbayes import pipeline
from mnbayes.analyses.lymphocytes.alone import alone, one_marker_card
from mnbayes.base import workers
from mnbayes.cards.card import Card, available_cards, load_card, parse_card
from mnbayes.cards.choice import choose_models
from mnbayes.cards.definitions import Definitions
from mnbayes.data.cohort import Cohort
from mnbayes.inference.fit import Sampling
from mnbayes.pipeline import is_repeated

CARDS = {name: load_card(name) for name in available_cards()}


def names(cards: list) -> list[str]:
    return [card.name for card in cards]


def test_cards_are_worked_on_longest_first_and_come_back_by_name(
    monkeypatch: pytest.MonkeyPatch, cohort: Cohort, definitions: Definitions
) -> None:
    tasks: list[str] = []

    def work(job: pipeline.Job, card: Card, progress: object) -> SimpleNamespace:
        tasks.append(card.name)
        return SimpleNamespace(name=card.name)

    monkeypatch.setattr(pipeline, "work", work)
    monkeypatch.setattr(workers.os, "cpu_count", lambda: 1)
    job = pipeline.Job(cohort, tuple(CARDS.values()), definitions, influence=False)
    done = pipeline.work_all(job, lambda *news: None)
    assert {name: item.name for name, item in done.items()} == {name: name for name in CARDS}
    assert sorted(tasks) == sorted(CARDS)
    sizes = [len(CARDS[name].markers) for name in tasks]
    assert sizes == sorted(sizes, reverse=True)


def test_only_the_joint_card_repeats_the_others() -> None:
    every = list(CARDS.values())
    assert [card.name for card in every if is_repeated(card, every)] == ["joint"]
    assert not is_repeated(CARDS["joint"], [CARDS["joint"], CARDS["proteinuria"]])


def test_one_marker_card_is_a_valid_card_with_its_own_prior_of_the_change() -> None:
    single = one_marker_card(CARDS["lymphocytes"], "nk_cell")
    again = parse_card(single.model_dump(mode="json", by_alias=True), "test")
    assert again == single
    assert "change_mean" in single.parameters
    assert "common_change" not in single.parameters
    assert single.prior["change_mean"]["nk_cell"].arguments == {"mu": 0.0, "sigma": 0.35}


def test_cards_without_their_markers_are_left_out_by_name() -> None:
    choice = choose_models(simulate_cohort(3))
    assert names(choice.cards) == ["proteinuria"]
    left_out = choice.reasons
    assert any("remission is left out: the cohort has no albumin" in said for said in left_out)


def test_default_order_is_from_few_markers_to_many() -> None:
    cohort = simulate_cohort(3, markers=CARDS["joint"].markers)
    ordered = names(choose_models(cohort).cards)
    assert ordered == ["proteinuria", "remission", "lymphocytes", "joint"]


@pytest.mark.xdist_group("proteinuria")
def test_markers_alone_are_fits_of_one_marker() -> None:
    cohort = simulate_cohort(6, markers=("cd3", "cd4"))
    table = CARDS["lymphocytes"].model_dump(mode="json", by_alias=True)
    table["markers"] = ["cd3", "cd4"]
    for name, priors in table["priors"].items():
        table["priors"][name] = {k: v for k, v in priors.items() if k in ("cd3", "cd4", "")}
    seen: list[tuple[int, int]] = []
    out = alone(
        parse_card(table, "two.toml"), cohort, Sampling(), lambda *counts: seen.append(counts)
    )
    assert seen == [(0, 2), (1, 2), (2, 2)]
    assert isinstance(out, pd.DataFrame)
    assert out["model"].unique().tolist() == ["lymphocytes_cd3", "lymphocytes_cd4"]
    assert (out["gmr_lower"] < out["gmr_median"]).all()
