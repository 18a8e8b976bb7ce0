"""An answer as a page shows it: numbers with the report's own words, and flags."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.design import words as decision_words
from mnbayes.analyses.results.brief import beyond_the_model, patients_brief
from mnbayes.analyses.results.page_one import answer_words, counted_words
from mnbayes.analyses.sensitivity.power_scaling import CONFLICT, STRONG_PRIOR
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table, records
from mnbayes.explorer.answers import Answered, Further
from mnbayes.explorer.case import Case
from mnbayes.explorer.conflict import prior_predictive_check
from mnbayes.explorer.dials import dials, label
from mnbayes.explorer.elicitation import consequences
from mnbayes.explorer.pictures import by_week, courses, densities, rounded, shares, tipping_curve
from mnbayes.report.kit import wording
from mnbayes.report.kit.prior_left import ratio_left, share_left
from mnbayes.report.kit.results import prior_draws, prior_text, rows_of

#: A change this many Monte Carlo standard errors is one; below it nothing is said to have moved.
MOVED = 2.0


def rows(answered: Answered) -> list[dict[str, Any]]:
    """The answers, one row each, given the data and under the prior alone.

    Returns
    -------
    list of dict
        ``id``, ``label``, ``now`` and ``prior`` as printed; ``value`` with ``lower``, ``upper`` and
        Monte Carlo error ``mcse``, the same of the prior, None where withheld; ``ratio`` says that
        it is one, ``left`` how much of the prior's interval is left.
    """
    return [*_changes(answered), *_responses(answered)]


def _row(
    id_: str, label: str, now: str, prior: str, numbers: dict[str, Any], **more: Any
) -> dict[str, Any]:
    plain = {key: rounded(np.asarray(value, dtype=float)) for key, value in numbers.items()}
    return {"id": id_, "label": label, "now": now, "prior": prior} | plain | more


def _changes(answered: Answered) -> list[dict[str, Any]]:
    result, found = answered.result, []
    week, withheld = result.primary_week, bool(result.withheld)
    now, before = _by_marker(result, week), _by_marker(answered.before, week)
    errors = _errors(answered.before, week)
    for marker in result.fit.observations.markers:
        about, row, prior = result.catalogue[marker], now[marker], before[marker]
        name = wording.in_text(about)
        ends = [
            row["gmr_lower"],
            row["gmr_upper"],
            prior["gmr_lower_prior"],
            prior["gmr_upper_prior"],
        ]
        found.append(
            _row(
                f"gmr:{marker}",
                f"{wording.capital(about.ratio)} of {name} to baseline, mean of such patients",
                wording.BLANK if withheld else wording.gmr_range(row),
                wording.gmr_range(prior, "_prior"),
                {
                    "value": row["gmr_median"],
                    "mcse": errors["gmr", marker],
                    "lower": ends[0],
                    "upper": ends[1],
                    "prior_value": prior["gmr_median_prior"],
                    "prior_lower": ends[2],
                    "prior_upper": ends[3],
                },
                ratio=True,
                left=rounded(np.asarray(ratio_left(*map(float, ends)))),
                short=about.short,
            )
        )
        rises = about.better == "higher"
        chance, was = row["p_fall"], prior["p_fall_prior"]
        value, value_before = (1 - chance, 1 - was) if rises else (chance, was)
        error = errors["p_fall", marker]
        found.append(
            _row(
                f"fell:{marker}",
                f"P({name} {'rose' if rises else 'fell'} at all, in that mean)",
                wording.BLANK if withheld else wording.probability(value, error),
                prior_text(result, value_before),
                {"value": value, "mcse": error, "prior_value": value_before},
                ratio=False,
                left=None,
            )
        )
    return found


def _by_marker(result: Result, week: float) -> dict[str, dict[str, Any]]:
    table = result.estimates
    return {row["marker"]: row for row in records(table[table["week"] == week])}


def _errors(result: Result, week: float) -> dict[tuple[str, str], float]:
    """Monte Carlo error of a ratio and of the probability of a fall, by marker."""
    table = result.answers[result.answers["week"] == week]
    return {(row["kind"], row["marker"]): row["mcse"] for row in records(table)}


def _responses(answered: Answered) -> list[dict[str, Any]]:
    result, definitions = answered.result, answered.definitions
    week, before = result.primary_week, answered.before
    found = []
    own = {
        quantity: {row["category"]: row for row in rows_of(result, quantity, week)}
        for quantity in ("next_patient", "population", "exceeds")
    }
    old = {
        quantity: {row["category"]: row for row in rows_of(before, quantity, week)}
        for quantity in own
    }
    withheld = bool(result.withheld)

    def chance(
        id_: str, label: str, now: dict[str, Any], prior: dict[str, Any], short: str
    ) -> dict[str, Any]:
        value, error, was = now["probability"], now["mcse"], prior["prior_probability"]
        return _row(
            id_,
            label,
            wording.BLANK if withheld else wording.probability(value, error),
            prior_text(result, was),
            {"value": value, "mcse": error, "prior_value": was},
            ratio=False,
            left=None,
            short=short,
        )

    for category in definitions.responses:
        if category in result.not_evaluable or category not in own["next_patient"]:
            continue
        name = definitions.label(category)
        found.append(
            chance(
                f"next:{category}",
                f"Next patient, as measured: {name}",
                own["next_patient"][category],
                old["next_patient"][category],
                definitions.patients(category),
            )
        )
        mean, mean_before = own["population"].get(category), old["population"].get(category)
        if mean is None or mean_before is None:
            continue
        at = week, category
        now, prior = result.share_rows[at], before.share_rows[at]
        span = (now["share_lower"], now["share_upper"])
        span_prior = (prior["share_lower_prior"], prior["share_upper_prior"])
        left = share_left(*map(float, (*span, *span_prior)))
        found.append(
            _row(
                f"share:{category}",
                f"Share of such patients: {name}",
                wording.BLANK
                if withheld
                else wording.percent_with_range(mean["probability"], *span),
                wording.percent_with_range(mean_before["prior_probability"], *span_prior),
                {
                    "value": mean["probability"],
                    "mcse": mean["mcse"],
                    "lower": span[0],
                    "upper": span[1],
                    "prior_value": mean_before["prior_probability"],
                    "prior_lower": span_prior[0],
                    "prior_upper": span_prior[1],
                },
                ratio=False,
                left=rounded(np.asarray(left)),
            )
        )
        bar = definitions.benchmarks.get(category)
        exceeds = own["exceeds"].get(category)
        if exceeds is None or bar is None:
            continue
        found.append(
            chance(
                f"exceeds:{category}",
                f"P(that share is above the benchmark of {wording.stated(bar)})",
                exceeds,
                old["exceeds"][category],
                f"{definitions.patients(category)} above {wording.stated(bar)}",
            )
        )
    return found


def flags(answered: Answered) -> list[dict[str, str]]:
    """What makes an answer doubtful: no convergence, another engine, data that the prior denies."""
    result, found = answered.result, []
    if result.withheld:
        why = "; ".join(result.withheld)
        said = "no number is shown" if answered.settled else "no number yet, better draws follow"
        found.append(
            _flag("stop" if answered.settled else "wait", f"Not converged ({why}): {said}.")
        )
    if result.fit.handed_over:
        why = result.fit.handed_over
        found.append(_flag("note", f"NUTS took over from the collapsed engine ({why})."))
    week = result.primary_week
    for marker in result.fit.observations.markers:
        check = prior_predictive_check(result.fit, marker, week)
        if check is None or not check.there:
            continue
        about = result.catalogue[marker]
        chance = wording.probability_of_draws(check.tail, prior_draws(result))
        text = (
            f"Prior–data conflict: {wording.in_text(about)} of the {check.patients} measured had a "
            f"mean ratio of {wording.ratio(check.ratio)} at {wording.week_name(week)}; the priors "
            f"expected {wording.ratio(check.lower)} to {wording.ratio(check.upper)} (95 %; "
            f"{chance} as far out)."
        )
        found.append(_flag("conflict", text))
    found += [_flag("note", said) for said in ([] if result.withheld else beyond_the_model(result))]
    return found


def _flag(kind: str, text: str) -> dict[str, str]:
    return {"kind": kind, "text": text}


def assumptions(case: Case, answered: Answered) -> str:
    """What an answer is under, in one sentence: it stands beside it."""
    settings, card = answered.settings, answered.card
    result = answered.result
    structure = card.structure
    course = "courses can turn" if structure.drift else "one step after baseline"
    residual = "heavy-tailed" if structure.residual == "student_t" else "normal"
    names = case.names(card)
    changed = [
        f"“{label(card, *names[name])}”" if name in names else name for name, _ in settings.priors
    ]
    own = f" with {wording.listed(changed)} as dialled" if changed else ""
    morph = (
        f", {100 * settings.morph:.0f} % of the way from sceptical to enthusiastic"
        if settings.morph is not None
        else ""
    )
    strategy = case.strategy_of(settings).label
    return (
        f"Under the priors {case.prior_set_name(settings)}{morph}{own}; {course}, {residual} "
        f"measurement error; responses by {answered.definitions.name} at "
        f"{wording.week_name(result.primary_week)}; who withdrew: {strategy}."
    )


def words(answered: Answered) -> str:
    """The headline in the report's words; nothing where withheld."""
    result = answered.result
    if result.withheld:
        return ""
    return "".join(str(part) for part in (*answer_words(result), *counted_words(result)))


def payload(case: Case, answered: Answered) -> dict[str, Any]:
    """Everything that a page redraws while somebody drags."""
    result, names = answered.result, case.names(answered.card)
    shown = case.shown_card(answered.settings)
    own = answered.own.among(case.cohort.catalogue).scheduled(case.weeks(answered.settings)[-1])
    fitted, found = result.fit, rows(answered)
    return {
        "settings": answered.settings.as_dict(),
        "query": answered.settings.query,
        "converged": not result.withheld,
        "engine": fitted.engine,
        "draws": f"{fitted.sampling.chains} × {fitted.sampling.draws:,}",
        "seconds": round(sum(fitted.seconds.values()), 2),
        "week": result.primary_week,
        "words": words(answered),
        "assumptions": assumptions(case, answered),
        "rows": found,
        "flags": flags(answered),
        "not_judged": [
            f"{answered.definitions.label(name)}: {why}"
            for name, why in result.not_evaluable.items()
        ],
        "dials": [asdict(each) for each in dials(shown, own, names)],
        "says": consequences(answered),
        "densities": densities(answered, names),
        "courses": courses(answered),
        "by_week": by_week(answered),
        "shares": shares(answered),
    }


def table(shown: Table) -> dict[str, Any]:
    """A table as plain values."""
    return {"caption": shown.caption, "head": list(shown.head), "rows": [*map(list, shown.rows)]}


def further_payload(answered: Answered, found: Further) -> dict[str, Any]:
    """What a page adds once the dials are at rest."""
    result = answered.result
    patients = None
    if result.evaluable and not result.withheld:
        patients = table(patients_brief(result))
    return {
        "decision": _decision(found),
        "patients": patients,
        "enrolled": _enrolled(answered, found.enrolled),
        "tipping": tipping_curve(found.swept, answered),
        "tips": [] if found.swept is None else found.swept.points["sentence"].tolist(),
        "flags": [
            *_power(result, found.power),
            *(_flag("prior", s) for s in found.prior.implausible),
        ],
        "decides": _decides(answered, found.power),
    }


def _decision(found: Further) -> dict[str, Any]:
    decision = found.decision
    if decision is None:
        return {"verdict": "", "said": ""}
    return {
        "verdict": decision.verdict,
        "prior": decision.prior_verdict,
        "said": decision_words.verdict(decision),
        "doubts": list(decision_words.doubts(decision)),
    }


def _enrolled(answered: Answered, found: pd.DataFrame) -> dict[str, Any] | None:
    if found.empty:
        return None
    definitions, lines = answered.definitions, []
    for row in records(found):
        category = row["category"]
        ends = tuple(float(row[end]) for end in ("median", "lower", "upper"))
        blank = not np.isfinite(ends[0])
        if category:
            name, value = definitions.label(category), wording.percent_with_range(*ends)
        else:
            name, value = "geometric mean ratio", wording.ratio_range(*ends)
        chance = row["probability"]
        lines.append(
            [
                row["assumption"],
                f"share, {name}" if category else name,
                wording.BLANK if blank else value,
                wording.BLANK
                if not np.isfinite(chance)
                else wording.probability(chance, row["probability_mcse"]),
            ]
        )
    head = ["Of who withdrew", "Of the enrolled", "Median (95 %)", "P(better than reference)"]
    caption = f"The {int(found['enrolled'].iloc[0])} enrolled themselves"
    return {"caption": caption, "head": head, "rows": lines}


def _power(result: Result, power: pd.DataFrame) -> list[dict[str, str]]:
    if power.empty:
        return []
    found = []
    for row in records(power[power["kind"].isin(["gmr", "population"])]):
        if row["category"]:
            about = f"the share in {result.judged_by.label(row['category'])}"
        else:
            about = f"the mean change of {wording.in_text(result.catalogue[row['marker']])}"
        strongest = _prior_on(row)
        if row["diagnosis"] == CONFLICT:
            text = f"Priors and data both move {about}; of the priors that on the {strongest} most."
            found.append(_flag("prior", text))
        elif row["diagnosis"] == STRONG_PRIOR:
            text = f"The prior on the {strongest} decides {about}: the data hardly move it."
            found.append(_flag("conflict", text))
    return found


def _prior_on(row: dict[str, Any]) -> str:
    """What the prior is on that moves an answer most."""
    name = str(row["strongest_prior"])
    return wording.PARAMETER_LABELS.get(name, name)


def _decides(answered: Answered, power: pd.DataFrame) -> str:
    """Which prior moves the headlines most: those of the first marker and the main category."""
    if power.empty:
        return ""
    main = {*answered.result.fit.observations.markers[:1], *answered.definitions.stated[:1]}
    names = []
    for row in records(power):
        if (row["marker"] or row["category"]) in main and row["strongest_prior"]:
            names.append(_prior_on(row))
    if not names:
        return "No prior decides the headline by itself (power scaling)."
    listed = wording.listed(list(dict.fromkeys(names)))
    return f"What moves the headline most: the prior on the {listed} (power scaling)."
