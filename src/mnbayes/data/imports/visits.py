"""Names of visits: weeks, months, days, baseline, numbers that need a week of their own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping as Map
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple

from mnbayes.base.problems import quoted
from mnbayes.data.imports.draft import Draft, Options, Place
from mnbayes.data.imports.mapping import Mapping, key
from mnbayes.data.trial import Visit as Window

#: Days of a mean month: 365.25 / 12.
MONTH_DAYS = 30.4375
DAYS = {"week": 7.0, "month": MONTH_DAYS, "day": 1.0}

type Kind = Literal["week", "month", "day", "baseline", "screening", "numbered", "unscheduled"]

_BEFORE, _AFTER = r"(?<![A-Za-zÀ-ÿ])", r"(?![A-Za-zÀ-ÿ])"
_NUMBER = r"([0-9]{1,4}(?:[.,][0-9]{1,3})?)"


class Named(NamedTuple):
    """A visit that a text names."""

    kind: Kind
    text: str
    number: float = 0.0

    @property
    def same(self) -> tuple[str, object]:
        """What two spellings of one visit share."""
        return self.kind, self.number if self.kind in DAYS else key(self.text)

    @property
    def days(self) -> float:
        """Days after week 0, where its name says so."""
        return self.number * DAYS.get(self.kind, 0.0)


def _any(words: Sequence[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


@lru_cache(maxsize=8)
def _patterns(words: tuple[tuple[str, tuple[str, ...]], ...]) -> list[tuple[str, re.Pattern[str]]]:
    known = dict(words)
    found: list[tuple[str, str]] = []
    for kind in DAYS:
        names = _any(known[kind])
        found.append((kind, rf"{_BEFORE}({names})([ _:.#]{{0,3}})([-−–]?)( ?){_NUMBER}(?![\w%/])"))
    for kind in DAYS:
        names = _any(known[kind])
        found.append(
            (
                kind,
                rf"(?<![A-Za-z0-9.,])(?:第|nach )?([0-9]{{1,4}}(?:[.,][0-9]{{1,3}})?)"
                rf"\.? ?-?(?:st|nd|rd|th)? ?(?:{names}){_AFTER}",
            )
        )
    for kind in ("unscheduled", "baseline", "screening"):
        found.append((kind, rf"{_BEFORE}(?:{_any(known[kind])})(?:[ -]?[0-9.]{{1,4}})?{_AFTER}"))
    found.append(
        (
            "numbered",
            rf"{_BEFORE}(?:{_any(known['numbered'])}) ?[-_:.#]? ?"
            r"([0-9]{1,3}(?:\.[0-9])?)(?![\w%/])",
        )
    )
    return [(kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in found]


def find_visit(text: str, mapping: Mapping) -> tuple[Named | None, str]:
    """The visit that a text names, and the text without it.

    Parameters
    ----------
    text : str
        A header, or the name of a visit.
    mapping : Mapping
        Words of visits.
    """
    plain = unicodedata.normalize("NFKC", text).replace("_", " ").strip()[:200]
    kinds = ("week", "month", "day", "unscheduled", "baseline", "screening", "numbered")
    words = tuple((kind, tuple(mapping.words("visits", kind))) for kind in kinds)
    for kind, pattern in _patterns(words):
        match = pattern.search(plain)
        if match is None:
            continue
        rest = (plain[: match.start()] + " " + plain[match.end() :]).strip(" -_:;,./|@")
        named = match.group().strip(" -_:;,.")
        if kind in DAYS:
            value = float(match.groups()[-1].replace(",", "."))
            if len(match.groups()) > 1:
                # "Week -2" and "W-2" lie before week 0; the dash of "Week-2" and "Week - 2" joins.
                word, gap, dash, after, _ = match.groups()
                if dash and not after and (" " in gap or len(word) == 1):
                    value = -value
            return Named(kind, named, value), rest  # type: ignore[arg-type]
        return Named(kind, named), rest  # type: ignore[arg-type]
    return None, plain


def without_filler(text: str, mapping: Mapping) -> str:
    """A text without the words that may stand between a visit and a marker."""
    words = _any(mapping.words("visits", "filler"))
    pattern = rf"^(?:{words}){_AFTER} *| *{_BEFORE}(?:{words})$"
    before = ""
    while before != text:
        before, text = text, re.sub(pattern, "", text.strip(), flags=re.IGNORECASE)
    return text


def visit_of(text: str, mapping: Mapping) -> Named:
    """The visit of a text that names nothing else; one that needs a week where it says more.

    "Week 4 (Day 29)" and "Visit 3, week 4" are week 4; "Cycle 2 Day 1" is no day 1.
    """
    visit, rest = find_visit(text, mapping)
    other, left = find_visit(rest, mapping)
    said = [each for each in (visit, other) if each is not None]
    if not said or without_filler(left, mapping).strip(" ()[]-_:;,./|"):
        return Named("numbered", text[:60])
    return next((each for each in said if each.kind == "baseline"), said[0])


def given_week(text: str, given: Map[str, float | None]) -> tuple[str, float | None, str]:
    """The name of a visit in a text that the user gave a week, that week, and the rest."""
    for name in sorted(given, key=len, reverse=True):
        if name and (
            m := re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text, re.IGNORECASE)
        ):
            rest = (text[: m.start()] + " " + text[m.end() :]).strip(" -_:;,./|@")
            return name, given[name], rest
    return "", None, text


def week_of(days: float) -> float:
    """Weeks of days, to a hundredth."""
    return round(days / 7.0, 2) + 0.0


def week_of_study_day(day: float) -> float:
    """Weeks from baseline of a CDISC study day: day 1 is the first dose, and there is no day 0."""
    return (day - 1.0 if day > 0 else day) / 7.0


def resolve(
    found: Map[Named, int],
    draft: Draft,
    options: Options,
    place: Place,
    *,
    no_day_0: bool | None = None,
    suggested: Map[str, float] | None = None,
) -> dict[Named, float | None]:
    """Week of each visit's name; None where it is left out, or must be asked.

    Parameters
    ----------
    found : mapping
        Visits, and how many values each has.
    draft, options, place
        Where to write decisions and questions; what was answered; where the visits stand.
    no_day_0 : bool, optional
        Whether day 1 is week 0, as CDISC counts. Default: where there is a day 1, and neither a day
        0 nor a baseline by name.
    suggested : mapping, optional
        Week by name of a visit that has none, from study days.
    """
    days = {visit.number for visit in found if visit.kind == "day"}
    based = any(v.kind == "baseline" or (v.kind in DAYS and v.number == 0) for v in found)
    if no_day_0 is None:
        no_day_0 = 1.0 in days and not based
    based = based or (no_day_0 and 1.0 in days)
    weeks: dict[Named, float | None] = {}
    for visit, count in found.items():
        known, week, _ = given_week(visit.text, options.visits)
        why = "as answered"
        if known:
            draft.answered.add(key(known))
        elif visit.kind == "baseline":
            week, why = 0.0, "baseline"
        elif visit.kind in DAYS:
            day = (
                visit.days - 1
                if no_day_0 and visit.kind == "day" and visit.number > 0
                else visit.days
            )
            week = week_of(day)
            why = {"month": f"a month is {MONTH_DAYS} days", "day": "day 1 is week 0"}.get(
                visit.kind, ""
            )
            if visit.kind == "day" and not no_day_0:
                why = "day 0 is week 0"
            if week < 0:
                week, why = None, "before baseline"
        elif visit.kind == "screening" and not based:
            week, why = 0.0, "the baseline, since no other visit is one"
        elif visit.kind == "screening":
            week, why = None, f'before baseline; --visit "{visit.text}=-2" keeps it'
        elif visit.kind == "unscheduled":
            week, why = None, f'it has no week; --visit "{visit.text}=WEEK" gives one'
        else:
            guess = (suggested or {}).get(visit.text)
            answer = f'--visit "{visit.text}={"WEEK" if guess is None else format(guess, "g")}"'
            draft.ask(
                place,
                f"the visit {quoted(visit.text)} ({count:,} values)",
                f'its week, or nothing to leave it out: add {answer} or --visit "{visit.text}="',
                answer,
            )
        weeks[visit] = week
        if week is not None:
            draft.plan(week, visit.text)
        made = "left out" if week is None else f"week {week:g}"
        draft.decide("Visits", visit.text, f"{made} ({why})" if why else made, count)
    return weeks


def windows(weeks: Sequence[float]) -> tuple[Window, ...]:
    """Windows round planned weeks, divided half-way between two; none where two nearly touch.

    The baseline reaches back four weeks, and the last visit as far ahead as half the gap before it.
    """
    ordered = sorted(set(weeks))
    if len(ordered) < 2 or ordered[0] != 0 or any(b - a < 0.3 for a, b in pairwise(ordered)):
        return ()
    ends = [round((a + b) / 2, 2) for a, b in pairwise(ordered)]
    last = round(ordered[-1] + (ordered[-1] - ordered[-2]) / 2, 2)
    starts = [-4.0, *(round(end + 0.01, 2) for end in ends)]
    return tuple(
        Window(week=week, earliest=start, latest=end)
        for week, start, end in zip(ordered, starts, [*ends, last], strict=True)
    )


def in_window(week: float, planned: Sequence[Window]) -> float | None:
    """The planned week of a time, or None outside all windows."""
    rounded = round(week, 2)
    return next((v.week for v in planned if v.earliest <= rounded <= v.latest), None)


def suggested_weeks(times: Sequence[float]) -> list[float]:
    """Planned weeks that times may have been meant for: whole weeks, near ones as one."""
    found: list[list[float]] = []
    for time in sorted(times):
        gap = max(1.0, 0.15 * time)
        if found and time - found[-1][-1] <= gap / 2:
            found[-1].append(time)
        else:
            found.append([time])
    return sorted({float(round(sorted(group)[len(group) // 2])) for group in found})
