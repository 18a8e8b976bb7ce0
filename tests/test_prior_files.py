"""Prior files and settings: whatever they say ends in a valid prior or a clear error."""

import ast
import builtins
import datetime
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnbayes.analyses.priors.tables import prior_table
from mnbayes.base.problems import InputError
from mnbayes.base.resources import models_folder
from mnbayes.base.toml_files import read_toml
from mnbayes.base.untrusted_text import CONTROL
from mnbayes.cards import card as cards
from mnbayes.cards import overrides
from mnbayes.cards.families import FAMILIES
from mnbayes.cards.prior_sets import Change, load_prior_set
from mnbayes.data.markers import MARKERS
from mnbayes.report.terminal import show_table

ALL = [cards.load_card(name) for name in cards.available_cards()]
PROTEINURIA = cards.load_card("proteinuria")
#: With one marker and with several, with mean changes of their own and with a common one.
TWO = [cards.load_card(name) for name in ("remission", "lymphocytes")]
RAW = read_toml(models_folder() / "proteinuria.toml")
SOURCES = Path(cards.__file__).parents[1]

#: What somebody would write to run code, to read a secret or to break a template.
TRICKS = (
    "__import__('os').system('touch pwned')",
    "$(touch pwned)",
    "`touch pwned`",
    "${q95.__class__}",
    "$x025$$${",
    "{0.__class__.__mro__}",
    "{sigma}",
    "{{ 7 * 7 }}",
    "{% for x in y %}",
    "%(sigma)s %n",
    "<script>alert(1)</script>",
    "[bold red]x[/]",
    "../../etc/passwd",
    "90% between __import__('os') and 2",
    "\u0000\u001b[2J",
)

NUMBER = st.one_of(
    st.floats(),
    st.integers(),
    st.sampled_from([0, -1, 1, 0.5, 1e-300, 1e299, 1e308, 10**400, -0.0, float("nan")]),
)
BELIEF = st.builds(
    "{}% {} {}{}".format,
    NUMBER,
    st.sampled_from(["below", "above", "between 0.2 and", "between 10% and", "around"]),
    st.one_of(NUMBER.map(str), st.sampled_from(["0.7", "60%", "1e400", "x"])),
    st.sampled_from(["", " on gmr", " on fall", ", median 0.5", " median 30% on fall", " sd"]),
)
TEXT = st.one_of(st.text(max_size=30), st.sampled_from(TRICKS), BELIEF)
LEAF = st.one_of(
    NUMBER,
    TEXT,
    st.booleans(),
    st.sampled_from(sorted(FAMILIES)),
    st.just(datetime.date(2024, 2, 29)),
    st.lists(st.integers(), max_size=2),
)
ENTRY_KEYS = "mu sigma nu lam alpha beta eta distribution belief on meaning why source arguments"
ENTRY = st.dictionaries(
    st.one_of(
        st.sampled_from(ENTRY_KEYS.split()),
        TEXT,
    ),
    st.one_of(LEAF, st.dictionaries(TEXT, LEAF, max_size=2)),
    max_size=5,
)
MARKER = st.one_of(st.sampled_from([*MARKERS, ""]), TEXT)
TABLE = st.one_of(ENTRY, st.dictionaries(MARKER, st.one_of(ENTRY, LEAF), max_size=3), LEAF)
PARAMETER = st.one_of(st.sampled_from(sorted(cards.PARAMETERS)), TEXT)
SET = st.dictionaries(
    st.one_of(st.sampled_from(["name", "title", "why", "source", "priors"]), TEXT),
    st.one_of(st.dictionaries(PARAMETER, TABLE, max_size=4), LEAF),
    max_size=4,
)
QUIET = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def toml(value: Any) -> str:
    """A value in TOML's inline notation."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            return repr(value)
        case datetime.date():
            return value.isoformat()
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{toml(k)} = {toml(v)}' for k, v in value.items())}}}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def document(table: dict[str, Any]) -> str:
    return "\n".join(f"{toml(key)} = {toml(value)}" for key, value in table.items())


def put(folder: Path, table: dict[str, Any]) -> Path:
    """The file of a table, which need not be a valid one."""
    path = folder / "any.toml"
    path.write_text(document(table), encoding="utf-8", errors="replace")
    return path


def outcome(action: Callable[[], list[cards.Card]]) -> str:
    """Do something that ends in cards or in a clear error; return the error's text."""
    try:
        made = action()
    except InputError as problem:
        text = str(problem)
        assert "expected" in text
        return text
    for card in made:
        for parameter, table in card.prior.items():
            for spec in table.values():
                family = FAMILIES[spec.distribution]
                assert set(spec.arguments) == set(family.arguments)
                assert all(np.isfinite(value) for value in spec.arguments.values())
                assert all(spec.arguments[name] > 0 for name in family.positive)
                assert isinstance(spec.explained, str)
                assert cards.PARAMETERS[parameter][1] in family.roles
        assert len(card.sha256) == len(card.priors_sha256) == 64
    return ""


def overridden(path: Path) -> list[cards.Card]:
    return overrides.override(TWO, overrides.load_prior_sets([path]))


# --- anything at all ---------------------------------------------------------------------------


@QUIET
@given(content=st.one_of(st.binary(max_size=300), TEXT.map(lambda t: t.encode("utf-8", "replace"))))
def test_any_bytes_as_a_prior_set_or_a_card(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(content)
    text = outcome(lambda: overridden(path))
    assert not text or "any.toml" in text
    assert "any.toml" in outcome(lambda: [cards.load_card(path)])


@QUIET
@given(table=SET)
def test_any_structure_as_a_prior_set(tmp_path: Path, table: dict[str, Any]) -> None:
    outcome(lambda: overridden(put(tmp_path, table)))


@QUIET
@given(parameter=st.sampled_from(sorted(cards.PARAMETERS)), entry=ENTRY)
def test_any_entry_of_a_prior_set(tmp_path: Path, parameter: str, entry: dict[str, Any]) -> None:
    shared = parameter in cards.SHARED
    table = {"priors": {parameter: entry if shared else {"urine_protein_24h": entry}}}
    outcome(lambda: overridden(put(tmp_path, table)))


@QUIET
@given(parameter=st.sampled_from(sorted(RAW["priors"])), entry=ENTRY, whole=st.booleans())
def test_any_entry_of_a_card(
    tmp_path: Path, parameter: str, entry: dict[str, Any], whole: bool
) -> None:
    shared = parameter in cards.SHARED
    own = RAW["priors"][parameter] if shared else RAW["priors"][parameter]["urine_protein_24h"]
    new = entry if whole else own | entry
    changed = {parameter: new if shared else {"urine_protein_24h": new}}
    data = RAW | {"priors": RAW["priors"] | changed}
    outcome(lambda: [cards.load_card(put(tmp_path, data))])


@QUIET
@given(key=st.one_of(st.sampled_from(sorted(RAW)), TEXT), value=st.one_of(LEAF, TABLE, SET))
def test_any_part_of_a_card(tmp_path: Path, key: str, value: object) -> None:
    outcome(lambda: [cards.load_card(put(tmp_path, RAW | {key: value}))])


PART = st.sampled_from([*cards.PARAMETERS, *MARKERS, "mu", "sigma", "distribution"]) | TEXT
NAME = st.builds(".".join, st.lists(PART, min_size=1, max_size=4)) | TEXT


@QUIET
@given(text=st.one_of(TEXT, st.builds("{}={}".format, NAME, st.one_of(LEAF, BELIEF))))
def test_any_setting(text: str) -> None:
    outcome(lambda: overrides.override(ALL, [], [overrides.parse_setting(text)]))


@QUIET
@given(name=TEXT)
def test_any_name_of_a_set_or_card(name: str) -> None:
    outcome(lambda: [cards.load_card(name)])
    outcome(lambda: overrides.override(TWO, overrides.load_prior_sets([name])))


def test_nesting_and_numbers_that_python_itself_refuses(tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    for text, words in (
        ("a = " + "[" * 50_000, "too deeply"),
        ("a = " + "{a = " * 50_000, "too deeply"),
        ("a = " + "9" * 5_000, "valid TOML"),
        ("a = 2024-13-45", "valid TOML"),
        ('a = "\\ud800"', "valid TOML"),
    ):
        path.write_text(text, encoding="utf-8")
        assert words in outcome(lambda: overridden(path))
        assert words in outcome(lambda: [cards.load_card(path)])
    assert "expected" in outcome(lambda: overridden(tmp_path / "gone.toml"))
    assert "expected" in outcome(lambda: overridden(tmp_path / "\u0000.toml"))
    (tmp_path / "folder.toml").mkdir()
    assert "expected" in outcome(lambda: overridden(tmp_path / "folder.toml"))


# --- nothing runs --------------------------------------------------------------------------------


@contextmanager
def nothing_runs() -> Iterator[None]:
    """Make every way to run something an error."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was run")

    with pytest.MonkeyPatch.context() as patch:
        for place, name in (
            (builtins, "eval"),
            (builtins, "exec"),
            (os, "system"),
            (os, "popen"),
            (subprocess, "Popen"),
        ):
            patch.setattr(place, name, refuse)
        yield


@pytest.mark.parametrize("trick", TRICKS)
def test_texts_are_inert(trick: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where a new file would be seen
    entry = {"sigma": 0.5, "meaning": trick, "why": trick, "source": trick}
    path = tmp_path / "mine.toml"
    table = dict.fromkeys(("name", "title", "why", "source"), trick)
    table |= {"priors": {"change_mean": {"urine_protein_24h": entry}}}
    path.write_text(document(table), encoding="utf-8")
    if CONTROL.search(trick):
        with pytest.raises(InputError, match="text without control codes"):
            load_prior_set(path)
        return
    show_table(prior_table(PROTEINURIA))  # so that everything is imported
    with nothing_runs():
        loaded = load_prior_set(path)
        (card,) = overrides.override([PROTEINURIA], [loaded])
        spec = card.prior["change_mean"]["urine_protein_24h"]
        explained = spec.explained
        show_table(prior_table(card))
        for text in (f"change_mean={trick}", f"{trick}=1", trick):
            outcome(lambda text=text: overrides.override(ALL, [], [overrides.parse_setting(text)]))
    assert (loaded.name, loaded.why, spec.why, spec.meaning) == (trick,) * 4
    if "$" not in trick:
        assert explained == trick
    assert "class '" not in explained  # no attribute was looked up
    assert [found.name for found in tmp_path.iterdir()] == ["mine.toml"]


def test_only_the_named_fields_of_a_meaning_are_filled() -> None:
    change = Change("change_mean", "", {"sigma": 1.0, "meaning": "$x50 $q50 ${x95} $sigma $x"}, "f")
    (card,) = overrides.apply_changes([PROTEINURIA], [change], strict=True)
    spec = card.prior["change_mean"]["urine_protein_24h"]
    assert spec.explained == "1 0 5.18 $sigma $x"  # exp(1.645) = 5.18


READERS = ("beliefs", "belief_fits", "card_beliefs", "elicit", "card", "overrides")
READERS += ("prior_sets", "families")


@pytest.mark.parametrize("module", [*(f"cards/{name}" for name in READERS), "base/toml_files"])
def test_what_reads_priors_cannot_run_code(module: str) -> None:
    tree = ast.parse((SOURCES / f"{module}.py").read_text(encoding="utf-8"))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"eval", "exec", "compile", "__import__", "getattr", "globals", "vars"} - (
        {"getattr"} if module == "cards/prior_sets" else set()
    )
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not imported & {"pickle", "importlib", "subprocess", "os", "yaml", "ctypes"}


# --- sets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["weak", "sceptical", "enthusiastic"])
def test_shipped_sets_are_reasoned_and_sourced(name: str) -> None:
    loaded = load_prior_set(name)
    assert loaded.brought
    assert loaded.source
    texts = [loaded.title, loaded.why, loaded.source]
    for change in loaded.changes:
        assert {"meaning", "why", "source"} <= set(change.values)
        texts += [change.values[key] for key in ("meaning", "why", "source")]
    assert "effect" not in " ".join(texts).replace("effective", "").lower()


def test_sets_say_what_they_mean_in_every_card() -> None:
    for name in ("sceptical", "enthusiastic"):
        others = overrides.override(ALL, overrides.load_prior_sets([name]))
        for old, new in zip(ALL, others, strict=True):
            changed = {
                (parameter, marker)
                for parameter in old.parameters
                for marker, spec in old.prior[parameter].items()
                if new.prior[parameter][marker].arguments != spec.arguments
            }
            means = {parameter for parameter, _ in changed}
            assert means <= {"change_mean", "common_change", "change_spread"}
            if name == "sceptical":
                expected = {m for m in old.markers if not old.structure.shrink} or {""}
                assert {marker for _, marker in changed} == expected
            else:
                urine_and_albumin = {m for m in old.markers if "urine" in m or m == "albumin"}
                assert {marker for _, marker in changed} == urine_and_albumin


def test_enthusiastic_holds_the_published_ratios() -> None:
    card = overrides.with_priors(PROTEINURIA, "enthusiastic")
    spec = card.prior["change_mean"]["urine_protein_24h"]
    low, high = np.exp(spec.arguments["mu"] + np.array([-1.96, 1.96]) * spec.arguments["sigma"])
    assert low < 0.35 < 0.69 < high < 1
    assert spec.belief == "90% between 0.25 and 0.8 on gmr"


def written(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_strength_card_set_file_value(tmp_path: Path) -> None:
    one = written(tmp_path, "one.toml", "[priors.change_mean.urine_protein_24h]\nsigma = 0.31\n")
    two = written(tmp_path, "two.toml", "[priors.change_mean.urine_protein_24h]\nsigma = 0.32\n")

    def sigma(names: list[str | Path], *values: str) -> float:
        card = overrides.with_priors(PROTEINURIA, names, values)
        return card.prior["change_mean"]["urine_protein_24h"].arguments["sigma"]

    assert sigma(["weak"]) == 0.7
    assert sigma(["sceptical"]) == 0.2
    assert sigma(["sceptical", one]) == sigma([one, "sceptical"]) == 0.31
    assert (sigma([one, two]), sigma([two, one])) == (0.32, 0.31)
    assert sigma(["sceptical", "weak"]) == 0.2  # weak overrides nothing
    assert sigma([one], "change_mean.sigma=0.11") == 0.11
    belief = "change_mean=90% between 0.5 and 2"
    assert sigma([one], belief) == pytest.approx(np.log(4) / 2 / 1.6448536)
    assert sigma([one], belief, "change_mean.sigma=0.12") == 0.12


def test_a_number_after_a_belief_is_no_longer_believed() -> None:
    belief = "change_mean=90% between 0.3 and 1.1 on gmr"
    believed = overrides.with_priors(PROTEINURIA, settings=[belief])
    spec = believed.prior["change_mean"]["urine_protein_24h"]
    assert spec.belief == "90% between 0.3 and 1.1 on gmr"
    numbered = overrides.with_priors(believed, settings=["change_mean.sigma=0.2"])
    assert numbered.prior["change_mean"]["urine_protein_24h"].belief == ""
    again = overrides.with_priors(believed, settings=["change_mean=80% below 1"])
    kept = again.prior["change_mean"]["urine_protein_24h"].arguments
    assert kept["mu"] == pytest.approx(np.log(0.33) / 2)  # one side keeps the median


def test_reasons_and_sources_are_not_inherited_by_other_numbers() -> None:
    twice = overrides.with_priors(
        PROTEINURIA, "sceptical", ["change_mean.sigma=0.3", "change_mean.mu=0.1"]
    )
    spec = twice.prior["change_mean"]["urine_protein_24h"]
    assert spec.why.startswith("Overridden by --set, which gives no reason.")
    assert spec.why.count("Overridden by") == 1
    assert spec.source == "none given by --set"


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("[priors.change_maen.albumin]\nmu = 0", ["change_maen", "did you mean change_mean?"]),
        ("[priors.change_mean.albumen]\nmu = 0", ["albumen", "did you mean albumin?"]),
        ("[priors.change_mean.albumin]\nsgima = 1", ["Normal takes mu, sigma", "mean sigma?"]),
        ("[priors.change_mean.albumin]\nsigma = -1", ["change_mean.albumin.sigma", "above 0"]),
        ("[priors.change_mean.albumin]\nsigma = true", ["a finite number"]),
        (
            '[priors.change_mean.albumin]\ndistribution = "StudenT"\nnu = 3\nsigma = 1\nmu = 0',
            ["did you mean StudentT?"],
        ),
        (
            '[priors.change_mean.albumin]\ndistribution = "HalfNormal"\nsigma = 1',
            ["mine.toml", "cannot be HalfNormal; it can be Normal, StudentT"],
        ),
        ("[priors.change_mean.albumin]\nwhy = 3", ["change_mean.albumin.why", "a text"]),
        ("[priors.change_mean]\nmu = 0", ["a table per marker"]),
        ("[priors.correlation.albumin]\neta = 2", ["unknown argument"]),
        ("priors = 3", ["a table"]),
        ("prior = 3", ["did you mean priors?"]),
        ("name = 3", ["a text in quotation marks"]),
        (
            '[priors.change_mean.albumin]\nbelief = "90% between 1.4 and 1.1"',
            ["change_mean.albumin.belief", "the smaller number first"],
        ),
        (
            '[priors.change_mean.albumin]\nbelief = "90% below 2"\non = "fal"',
            ["change_mean.albumin.on", "did you mean fall?"],
        ),
        (
            '[priors.change_mean.albumin]\nbelief = "90% below 2"\nsigma = 2',
            ["change_mean.albumin.sigma", "either a belief or numbers"],
        ),
        ("[priors.change_mean.albumin]\nbelief = 90", ["a text in quotation marks"]),
        ('[priors.correlation]\nbelief = "90% below 0.5"', ["set eta"]),
    ],
)
def test_wrong_sets_are_refused_with_their_place(
    tmp_path: Path, text: str, messages: list[str]
) -> None:
    path = written(tmp_path, "mine.toml", text)
    said = outcome(lambda: overridden(path))
    for message in ("mine.toml", *messages):
        assert message in said


def test_all_problems_of_a_set_at_once_and_each_once(tmp_path: Path) -> None:
    text = (
        "[priors.change_mean.albumin]\nsigma = -1\n"
        '[priors.change_mean.urine_protein_24h]\nbelief = "90% below 0"\n'
    )
    said = outcome(lambda: overridden(written(tmp_path, "mine.toml", text)))
    assert said.count("change_mean.albumin.sigma") == 1  # of two cards with the same name
    assert "a ratio above 0" in said


def test_a_card_may_state_beliefs(tmp_path: Path) -> None:
    prior = RAW["priors"]["change_mean"]["urine_protein_24h"]
    texts = {key: prior[key] for key in ("meaning", "why", "source")}
    belief = {"distribution": "Normal", "belief": "90% between 0% and 70%", "on": "fall", **texts}
    weeks = {"distribution": "LogNormal", "belief": "90% between 1 and 8 weeks", **texts}
    changed = {"change_mean": {"urine_protein_24h": belief}, "serial_weeks": weeks}
    data = RAW | {"priors": RAW["priors"] | changed}
    card = cards.load_card(written(tmp_path, "mine.toml", document(data)))
    assert card.prior["change_mean"]["urine_protein_24h"].arguments == pytest.approx(
        {"mu": np.log(0.3) / 2, "sigma": -np.log(0.3) / 2 / 1.6448536}
    )
    assert card.prior["serial_weeks"][""].belief == "90% between 1 and 8 on weeks"
    assert card.sha256 != PROTEINURIA.sha256
    for wrong, message in (
        ({"belief": "90% between 70% and 0%"}, "the smaller number first"),
        ({"sigma": 1}, "either a belief or numbers"),
        ({"distribution": "Norml"}, "one of Normal"),
        ({"arguments": {"mu": 0}}, "either a belief or numbers"),
    ):
        changed = {"change_mean": {"urine_protein_24h": belief | wrong}}
        data = RAW | {"title": 3, "priors": RAW["priors"] | changed}
        path = written(tmp_path, "mine.toml", document(data))
        said = outcome(lambda path=path: [cards.load_card(path)])
        assert message in said
        assert "mine.toml, column priors.change_mean.urine_protein_24h." in said
        assert "column title" in said  # the other problems are said as well
        assert said.count("urine_protein_24h") <= 2


def test_hash_of_priors_alone(tmp_path: Path) -> None:
    said = overrides.with_priors(PROTEINURIA, settings=["change_mean.sigma=0.7"])
    assert said.priors_sha256 == PROTEINURIA.priors_sha256  # only the reason differs
    assert said.sha256 != PROTEINURIA.sha256
    off = overrides.with_priors(PROTEINURIA, settings=["residual_df.alpha=3"])
    assert off.priors_sha256 == PROTEINURIA.priors_sha256  # switched off
    other = overrides.with_priors(PROTEINURIA, settings=["change_mean.sigma=0.71"])
    assert other.priors_sha256 != PROTEINURIA.priors_sha256
