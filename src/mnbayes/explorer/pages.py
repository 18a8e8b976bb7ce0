"""One page of the explorer: what a browser asks, and what it is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mnbayes.analyses.withdrawal.strategies import withdrawal_strategies
from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.cards.card import Card
from mnbayes.cards.parameters import quantity
from mnbayes.cards.prior_sets import load_prior_set
from mnbayes.explorer.answers import Answered, answer, further
from mnbayes.explorer.case import Case
from mnbayes.explorer.elicitation import Judged, fit_chips
from mnbayes.explorer.judgements import read_experts
from mnbayes.explorer.judging import own_scale, pooled
from mnbayes.explorer.saving import command_line, python_lines, remarks
from mnbayes.explorer.settings import Settings, number, read_settings
from mnbayes.explorer.shown import further_payload, payload
from mnbayes.explorer.worker import Newer, SupersededError
from mnbayes.report.arviz_pictures import arviz_pictures

#: Called with plain values that go to the page.
type Send = Callable[[Mapping[str, Any]], None]

_STAGES = {
    "compiling": "NUTS gets ready",
    "sampling": "NUTS draws",
    "retrying": "NUTS draws again with smaller steps",
    "predicting": "Levels and predictions",
}


@dataclass
class Page:
    """A page that is open somewhere, with its own state.

    Attributes
    ----------
    case : Case
    send : callable
    settings : Settings
        The last ones that were wished for.
    answered : Answered or None
        The last settled answer.
    pictures : dict
        ArviZ's pictures of it by name, as SVG.
    """

    case: Case
    send: Send
    settings: Settings
    answered: Answered | None = None
    pictures: dict[str, bytes] = field(default_factory=dict)
    _quick: Answered | None = None
    _further: tuple[Answered, dict[str, Any]] | None = None

    def work_on(self, said: Mapping[str, Any]) -> Callable[[Newer], None]:
        """What a message asks for, to be done by the worker.

        Raises
        ------
        InputError
            If it makes no sense.
        """
        kind, n = said.get("type"), said.get("n", 0)
        if kind == "set":
            settings = read_settings(said.get("settings"), self.case.cards[0].name)
            self.settings = settings
            live = said.get("live") is True
            return lambda newer: self._answer(settings, n, newer, live=live)
        if kind in ("chips", "pool"):
            return lambda newer: self._judge(kind, said)
        if kind == "arviz":
            return lambda newer: self._draw(newer)
        expected = "set, chips, pool or arviz"
        raise InputError([Problem("the page", None, "type", quoted(kind), expected)])

    def _answer(self, settings: Settings, n: Any, newer: Newer, *, live: bool) -> None:
        self.case.check(settings)
        last = self.answered
        if not live and last is not None and last.settings == settings:  # after a pause, or again
            self._show(last, n, settled=True)
            self._more(last, n, newer)
            return
        quick, fresh = self._quick, False
        if live or quick is None or quick.settings != settings:
            quick, fresh = answer(self.case, settings, settled=False), True
            self._quick = quick
        if quick is None:
            self._settle(settings, n, newer)
        elif live or newer():
            self._show(quick, n, settled=False)
        else:
            if fresh:
                self._show(quick, n, settled=False)
            self._settle(settings, n, newer)

    def _more(self, found: Answered, n: Any, newer: Newer) -> None:
        if newer():
            return
        if self._further is None or self._further[0] is not found:
            self._further = found, further_payload(found, further(self.case, found))
        more = self._further[1]
        self.send({"type": "further", "n": n, **more, **self._taken(found.settings)})

    def _settle(self, settings: Settings, n: Any, newer: Newer) -> None:
        def told(stage: str, done: int, total: int) -> None:
            self.send(
                {
                    "type": "progress",
                    "n": n,
                    "text": _STAGES.get(stage, stage),
                    "done": done,
                    "total": total,
                }
            )
            if newer():  # a fit by NUTS takes seconds
                raise SupersededError

        found = answer(self.case, settings, settled=True, progress=told)
        assert found is not None
        self.answered, self.pictures = found, {}
        self._show(found, n, settled=True)
        self._more(found, n, newer)

    def _show(self, found: Answered, n: Any, *, settled: bool) -> None:
        controls = controls_of(self.case, found.settings, found.card)
        shown = payload(self.case, found)
        self.send({"type": "answers", "n": n, "settled": settled, "controls": controls, **shown})

    def _taken(self, settings: Settings) -> dict[str, Any]:
        return {
            "command": command_line(self.case, settings),
            "python": python_lines(self.case, settings),
            "remarks": remarks(self.case, settings),
        }

    def _judge(self, kind: Any, said: Mapping[str, Any]) -> None:
        """Chips, or several experts, as a prior."""
        name = said.get("name")
        card = self.case.shown_card(self.settings)
        names = self.case.names(card)
        if not isinstance(name, str) or name not in names:
            expected = f"one of {', '.join(names)}"
            raise InputError([Problem("the page", None, "name", quoted(name), expected)])
        parameter, marker = names[name]
        found = judged(card, parameter, marker, kind, said)
        self.send(
            {
                "type": "judged",
                "name": name,
                "of": kind,
                "stated": found.arguments,
                "formula": found.formula,
                "apart": round(found.apart, 3),
            }
        )

    def _draw(self, newer: Newer) -> None:
        found = self.answered
        if found is None:
            return
        withheld = bool(found.result.withheld)
        for name, picture in arviz_pictures(found.fit.tree, withheld=withheld):
            self.pictures[name] = picture
            self.send({"type": "arviz", "name": name, "count": len(self.pictures)})
            if newer():
                break
        self.send({"type": "arviz", "name": "", "count": len(self.pictures)})


def judged(card: Card, parameter: str, marker: str, kind: Any, said: Mapping[str, Any]) -> Judged:
    """A prior fitted to what experts said.

    Parameters
    ----------
    card : Card
    parameter, marker : str
    kind : {"chips", "pool"}
    said : mapping
        ``edges`` and ``chips``, edges in the belief's first unit; or ``experts``, as
        :class:`mnbayes.explorer.judgements.Expert` has them.

    Raises
    ------
    InputError
    """
    spec = card.prior[parameter][marker]
    about = quantity(parameter, marker, card.catalogue)
    family, present = spec.distribution, spec.arguments
    if family == "LKJ":
        expected = "a prior of one number"
        raise InputError([Problem("judgements", None, parameter, "correlations", expected)])
    if kind == "chips":
        edges, chips = said.get("edges"), said.get("chips")
        if not (_numbers(edges) and _numbers(chips)):
            raise InputError([Problem("judgements", None, None, "no chips", "edges and chips")])
        own = [own_scale(about, float(edge)) for edge in edges or ()]
        return fit_chips(own, chips or (), family, present)
    return pooled(read_experts(said.get("experts")), about, family, present)


def _numbers(values: Any) -> bool:
    return isinstance(values, list) and all(map(number, values))


def controls_of(case: Case, settings: Settings, card: Card) -> dict[str, Any]:
    """What a page's other controls may be, and where they stand."""
    definitions = case.definitions_of(settings)
    cohort = case.cohort_of(settings)
    return {
        "model": settings.model,
        "sets": list(settings.sets),
        "morph": settings.morph,
        "trajectory": card.structure.trajectory,
        "residual": card.structure.residual,
        "definitions": settings.definitions or definitions.name,
        "benchmarks": [
            {"category": name, "label": definitions.label(name), "share": share}
            for name, share in definitions.benchmarks.items()
        ],
        "weeks": list(case.weeks(settings)),
        "week": cohort.primary_week(card.markers),
        "strategy": settings.strategy,
        "delta": settings.delta,
        "seed": settings.seed,
    }


def choices(case: Case) -> dict[str, Any]:
    """What a page's template lists."""
    loaded = {name: load_prior_set(name) for name in case.set_names}
    return {
        "models": [(card.name, card.title) for card in case.cards],
        "sets": [
            (name, loaded[name].name, loaded[name].title, loaded[name].sealed) for name in loaded
        ],
        "definitions": case.definition_names,
        "strategies": [(each.name, each.label) for each in withdrawal_strategies()],
    }


def dumped(said: Mapping[str, Any]) -> str:
    """Plain values as JSON that a browser reads: no NaN."""
    return json.dumps(said, allow_nan=False)
