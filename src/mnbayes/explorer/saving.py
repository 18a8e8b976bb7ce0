"""What is taken along: a prior set with who, when and why, and what gives the same elsewhere."""

from __future__ import annotations

import hashlib
import io
import shlex
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from mnbayes.base.problems import InputError
from mnbayes.base.toml_files import plain_toml, toml_text
from mnbayes.base.untrusted_text import visible
from mnbayes.cards.beliefs import parse_belief
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.card_file import card_toml
from mnbayes.cards.parameters import SHARED, quantity
from mnbayes.cards.prior_sets import SEAL_ENDING, Change, PriorSet, seal_text
from mnbayes.explorer.case import ORIGIN, Case
from mnbayes.explorer.judgements import JUDGEMENTS, Judgements, judgements_toml
from mnbayes.explorer.settings import Settings

#: Names of the files of one state.
PRIORS, CARD, DEFINITIONS, README = (
    "my-priors.toml",
    "my-card.toml",
    "my-definitions.toml",
    "readme.txt",
)
#: Longest text that a person may give.
LONGEST_TEXT = 2000


@dataclass(frozen=True)
class Author:
    """Who states priors, and why.

    Attributes
    ----------
    who, why : str
    seen : bool
        Whether they knew the data.
    """

    who: str = ""
    why: str = ""
    seen: bool = True

    @property
    def reason(self) -> str:
        """Why, or that nobody said."""
        return self.why or "No reason was given."

    def source(self, now: datetime) -> str:
        """Where priors that are stated now come from, as the source of a prior set."""
        by = f" by {self.who}" if self.who else ""
        return f"Stated with mnbayes explore{by} on {now:%Y-%m-%d %H:%M} UTC"


def read_author(said: Mapping[str, Any]) -> Author:
    """An author from plain values that nobody has looked at yet; texts are cut to what fits."""

    def text(key: str) -> str:
        value = said.get(key, "")
        plain = value if isinstance(value, str) else ""
        return " ".join(visible(plain[:LONGEST_TEXT]).split())

    return Author(text("who"), text("why"), said.get("seen") is not False)


def prior_set_toml(
    case: Case, settings: Settings, author: Author, now: datetime, *, whole: bool = False
) -> str:
    """The priors of settings as a file that ``--priors`` reads.

    Those beyond the prior sets, as they were stated; or with ``whole`` every prior in use, in
    numbers, so that the file stands by itself.
    """
    card = case.card(settings)
    sets = "" if whole else f"{' '.join(_priors(settings))} "
    lines = [
        f"# What was stated in mnbayes explore. Use it: mnbayes fit {sets}--priors {PRIORS}",
        'name = "my-priors"',
        f"title = {toml_text(_title(settings))}",
        f"why = {toml_text(author.reason)}",
        f"source = {toml_text(author.source(now))}",
    ]
    for change in _whole(case, settings) if whole else case.changes(settings):
        marker = change.marker or ("" if change.parameter in SHARED else card.markers[0])
        place = ".".join(("priors", change.parameter, *([marker] if marker else [])))
        lines += ["", f"[{place}]", *_values(change, card, marker)]
    return "\n".join(lines) + "\n"


def _whole(case: Case, settings: Settings) -> list[Change]:
    """Every prior in use, in numbers."""
    card = case.shown_card(settings)
    found = []
    for parameter, marker in case.names(card).values():
        spec = card.prior[parameter][marker]
        values = {"distribution": spec.distribution, **spec.arguments}
        texts = {"meaning": spec.meaning, "why": spec.why, "source": spec.source}
        found.append(Change(parameter, marker, values | texts, ORIGIN))
    return found


def _title(settings: Settings) -> str:
    morph = [] if settings.morph is None else [f"morph {settings.morph:g}"]
    return ", ".join((*morph, *(name for name, _ in settings.priors))) or "nothing of one's own"


def _values(change: Change, card: Card, marker: str) -> list[str]:
    if "belief" in change.values:
        about = quantity(change.parameter, marker, card.catalogue)
        belief = parse_belief(change.values["belief"], about)
        text, _, scale = belief.text.rpartition(" on ")
        return [f"belief = {toml_text(text)}", f"on = {toml_text(scale)}"]
    return [
        f"{name} = {toml_text(value) if isinstance(value, str) else repr(float(value))}"
        for name, value in change.values.items()
    ]


def prior_set_of(case: Case, settings: Settings, author: Author, now: datetime) -> PriorSet:
    """The same as a prior set in memory, for a run's record."""
    text = prior_set_toml(case, settings, author, now)
    return PriorSet(
        name="my-priors",
        title=_title(settings),
        why=author.reason,
        changes=case.changes(settings),
        source=author.source(now),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def definitions_toml(case: Case, settings: Settings) -> str:
    """The definitions of response as a file that ``--definitions`` reads."""
    recorded = case.definitions_of(settings).recorded()
    return "\n".join(plain_toml(recorded)) + "\n"


def _named_card(case: Case, settings: Settings) -> str:
    """What ``--model`` takes: the card's name, or the file of one that differs from it."""
    base, card = case.base(settings), case.card(settings)
    if card.structure != base.structure:
        return CARD
    try:
        known = load_card(base.name, known=case.cohort.catalogue)
    except InputError:
        return CARD
    return base.name if known == base else CARD


def _card_text(case: Case, settings: Settings) -> str:
    """The card with its own priors and the structure of the settings."""
    return card_toml(case.card(replace(settings, sets=("weak",), morph=None, priors=())))


def _own_definitions(case: Case, settings: Settings) -> str:
    if settings.benchmarks:
        return DEFINITIONS
    first = case.first.definitions
    return settings.definitions if settings.definitions != first or first else ""


def set_texts(case: Case, settings: Settings) -> list[str]:
    """The priors of settings beyond the sets, as ``--set`` takes them."""
    found = []
    for change in case.changes(settings):
        name = ".".join(filter(None, (change.parameter, change.marker)))
        if "belief" in change.values:
            found.append(f"{name}={change.values['belief']}")
        else:
            found += [f"{name}.{key}={float(v)!r}" for key, v in change.values.items()]
    return found


def _priors(settings: Settings) -> list[str]:
    return [f"--priors {shlex.quote(name)}" for name in settings.sets]


def command_line(case: Case, settings: Settings) -> str:
    """The command whose run has the same numbers."""
    folder = [shlex.quote(str(case.folder))] if case.folder is not None else []
    definitions = _own_definitions(case, settings)
    parts = [
        "mnbayes fit",
        *folder,
        f"--model {shlex.quote(_named_card(case, settings))}",
        *_priors(settings),
        *(f"--set {shlex.quote(text)}" for text in set_texts(case, settings)),
        *([f"--definitions {shlex.quote(definitions)}"] if definitions else []),
        f"--engine auto --seed {settings.seed}",
    ]
    return " ".join(parts)


def remarks(case: Case, settings: Settings) -> list[str]:
    """What a command line cannot say by itself."""
    said = []
    if settings.week is not None:
        said.append(f"Set primary_week = {settings.week:g} in the cohort’s trial.toml.")
    files = [
        name
        for name in (_named_card(case, settings), _own_definitions(case, settings))
        if name in (CARD, DEFINITIONS)
    ]
    if files:
        said.append(f"{' and '.join(files)}: among the files to take along.")
    if settings.strategy != "mar":
        delta = f" --delta {settings.delta:g}" if settings.strategy == "delta" else ""
        said.append(
            f"Withdrawal: mnbayes withdrawal RUN --strategy {settings.strategy}{delta} "
            "re-reads the run’s draws."
        )
    return said


def python_lines(case: Case, settings: Settings) -> str:
    """Lines of Python whose result has the same numbers."""
    cohort = (
        "mn.embedded_cohort()" if case.folder is None else f"mn.load_cohort({str(case.folder)!r})"
    )
    definitions = _own_definitions(case, settings)
    asked = f"mn.load_definitions({definitions!r})" if definitions else "None"
    sets, texts = list(settings.sets), set_texts(case, settings)
    lines = ["import mnbayes as mn", "", f"cohort = {cohort}"]
    if settings.week is not None:
        lines = ["from dataclasses import replace", "", *lines]
        lines.append(
            "cohort = replace(cohort, trial=cohort.trial.model_copy("
            f"update={{'primary_week': {settings.week!r}}}))"
        )
    card = f"mn.load_card({_named_card(case, settings)!r}, known=cohort.catalogue)"
    lines += [
        f"card = mn.with_priors({card}, {sets!r}, {texts!r})",
        f"fitted = mn.fit(card, cohort, mn.Sampling(engine='auto', seed={settings.seed}))",
        f"result = mn.summarise(fitted, {asked}, seed={settings.seed}, cohort=cohort)",
        "result.probabilities",
    ]
    return "\n".join(lines) + "\n"


def taken_along(
    case: Case,
    settings: Settings,
    author: Author,
    *,
    sealed: bool = False,
    judgements: Judgements | None = None,
    pictures: Mapping[str, bytes] | None = None,
    now: datetime | None = None,
) -> bytes:
    """Everything of one state as a zip archive.

    Parameters
    ----------
    case : Case
    settings : Settings
    author : Author
    sealed : bool
        Whether the prior set is sealed: its hash, the date and whether the data were known. It
        then states every prior in use.
    judgements : Judgements, optional
        What experts judged.
    pictures : mapping, optional
        Name of a file to its bytes.
    now : datetime, optional
        Default: the present.
    """
    now = datetime.now(UTC) if now is None else now
    priors = prior_set_toml(case, settings, author, now, whole=sealed)
    files: dict[str, bytes] = {PRIORS: priors.encode()}
    if _named_card(case, settings) == CARD:
        files[CARD] = _card_text(case, settings).encode()
    if _own_definitions(case, settings) == DEFINITIONS:
        files[DEFINITIONS] = definitions_toml(case, settings).encode()
    if sealed:
        text = seal_text(priors.encode(), now, author.who, data_seen=author.seen)
        files[PRIORS.removesuffix(".toml") + SEAL_ENDING] = text.encode()
    experts = []
    if judgements is not None:
        files[JUDGEMENTS] = judgements_toml(judgements).encode()
        experts = [f"{JUDGEMENTS}: what each expert judged. The page opens it again.", ""]
    said = [
        *(["SYNTHETIC cohort: no real patient.", ""] if case.cohort.synthetic else []),
        "The same numbers, from the command line:",
        command_line(case, settings),
        *remarks(case, settings),
        "",
        "From Python:",
        python_lines(case, settings),
        *experts,
        f"The page again: mnbayes explore, then add ?{settings.query} to its address.",
        "",
    ]
    files[README] = "\n".join(said).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (files | dict(pictures or {})).items():
            archive.writestr(name, content)
    return buffer.getvalue()
