"""The checks of a model in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnbayes.analyses.checks.courses import worsening
from mnbayes.analyses.checks.leave_one_out import LeftOut
from mnbayes.analyses.checks.part import Checks
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table, records
from mnbayes.data.markers import Catalogue, Marker
from mnbayes.report.kit import wording

#: Degrees of freedom at which it is said what Student-t residuals would make of a measurement,
#: and the weight, against an ordinary measurement's, from which they would discount it.
DF, DISCOUNTED = 4.0, 0.4
#: Tail shares beyond which the measurements surprise: 95 % of replicates lie between.
TAILS = (0.025, 0.975)
#: Share of the prior above the residual SD from which it is called beyond its prior.
BEYOND_PRIOR = 0.05
#: Most markers whose numbers a sentence holds; of more, those that surprise.
_MOST = 2
#: Most measurements that a sentence names because their weights are poor.
_NAMED = 3


def student_weight(sds: float) -> float:
    """What a measurement so many SDs from its prediction counts with Student-t residuals."""
    return (DF + 1) / (DF + sds**2)


def surprising(row: dict[str, Any]) -> bool:
    """Whether the courses show what 95 % of the replicates do not."""
    if row["statistic"] == "residual_sd":
        return bool(row["tail"] < BEYOND_PRIOR)
    return not TAILS[0] <= row["tail"] <= TAILS[1]


def _named(row: dict[str, Any], known: Catalogue) -> str:
    marker = wording.in_text(known[row["marker"]])
    return f"{row['patient']}'s {marker} at {wording.week_name(row['week'])}"


def _value(marker: Marker, value: float) -> str:
    return f"{value:.{marker.decimals}f} {marker.unit}"


def pit_sentence(found: LeftOut) -> str:
    """How many measurements lie in the tails of what the others say."""
    count = len(found.ends)
    low, high = (found.ends[:, 1] < TAILS[0]).sum(), (found.ends[:, 0] > TAILS[1]).sum()
    expected = f"{0.025 * count:.1f}".removesuffix(".0")
    return (
        f"Each measurement was predicted from all others, its own patient's among them: {low} of "
        f"{count} lie below the 2.5 % point of their prediction and {high} above the 97.5 % point, "
        f"where {expected} on each side would be expected."
    )


def most_surprising(found: LeftOut, known: Catalogue) -> str:
    """The exact measurement that is furthest from what the others say; blank if there is none."""
    table = found.table[found.table["sds"].notna()]
    if table.empty:
        return ""
    row = records(table.loc[[table["sds"].abs().idxmax()]])[0]
    side = "below" if row["sds"] < 0 else "above"
    pit = min(row["pit"], 1 - row["pit"])
    chance = "<0.1 %" if pit < 0.001 else f"{100 * pit:.1f} %"
    return (
        f"Most surprising is {_named(row, known)}: {_value(known[row['marker']], row['value'])}, "
        f"{abs(row['sds']):.1f} SDs {side} what the others say "
        f"({chance} of such measurements would lie further out on that side)."
    )


def discounted(result: Result, found: LeftOut) -> str:
    """Which measurements Student-t residuals discount, or would discount."""
    table, known = found.table[found.table["by"] == "measurement"], result.catalogue
    if result.fit.observations.weights:
        low = table[table["weight"] < DISCOUNTED].sort_values("weight")
        said = [
            f"{_named(row, known)} (counts {100 * row['weight']:.0f} %)" for row in records(low)
        ]
        if not said:
            least = f"{100 * DISCOUNTED:.0f} %"
            return f"With its Student-t residual no measurement counts less than {least}."
        return f"The Student-t residuals discount {wording.listed(said)}."
    weights = table["sds"].map(student_weight, na_action="ignore")
    low = table.assign(weight=weights)[weights < DISCOUNTED].sort_values("weight")
    if low.empty:
        return (
            "None lies so far out that Student-t residuals would discount it (count it less than "
            f"{100 * DISCOUNTED:.0f} % of one where it is expected, at {DF:g} degrees of freedom)."
        )
    said = [
        f"{_named(row, known)} ({abs(row['sds']):.1f} SDs from what the others say: it would count "
        f"{100 * row['weight']:.0f} % of one where it is expected"
        f"{f', at {DF:g} degrees of freedom' if at == 0 else ''})"
        for at, row in enumerate(records(low))
    ]
    return (
        "Normal residuals let every measurement count alike. Student-t residuals (residual = "
        f'"student_t" in the card) would discount {wording.listed(said)}.'
    )


def patient_sentence(found: LeftOut) -> str:
    """The patient whom the other patients expect least; blank where that is not known."""
    table = found.table[found.table["tail"].notna()]
    if table.empty:
        return ""
    row = records(table.loc[[table["tail"].idxmin()]])[0]
    tail = "<1 %" if row["tail"] < 0.01 else f"{100 * row['tail']:.0f} %"
    return (
        f"Each patient was also predicted from the other patients alone: {row['patient']} is "
        f"expected least, {tail} of such patients would be further from what the others say "
        f"(the least of {len(table)} is some {100 / (len(table) + 1):.0f} % if the model is right)."
    )


def elpd_sentence(found: LeftOut) -> str:
    """The expected log predictive densities, for comparison with another model."""
    (cell, cell_se), (who, who_se) = found.elpd["measurement"], found.elpd["patient"]
    return (
        "Expected log predictive density, the patients' own levels integrated out: "
        f"{_signed(cell)} (SE {cell_se:.1f}) by measurement, {_signed(who)} (SE {who_se:.1f}) by "
        "patient. Only differences between models of the same measurements mean anything."
    )


def _signed(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def doubt_sentence(found: LeftOut, known: Catalogue) -> str:
    """What was left out that the weights do not reach; blank where there is nothing."""
    doubtful = records(found.table[~found.table["trusted"]])
    cells = [_named(row, known) for row in doubtful if row["by"] == "measurement"]
    who = [str(row["patient"]) for row in doubtful if row["by"] == "patient"]
    more = [f"{len(cells) - _NAMED} more"] if len(cells) > _NAMED else []
    said = [f"without {wording.listed([*cells[:_NAMED], *more])}"] if cells else []
    said += [f"without the whole of {wording.listed(who)}"] if who else []
    if not said:
        return ""
    return (
        f"Weights do not reach far enough (Pareto k) {' and '.join(said)}: what is said there is "
        "rough, and a refit would be exact."
    )


def _shown(row: dict[str, Any], name: str) -> str:
    value = float(row[name])
    if row["statistic"] == "rebound":
        return wording.percent(value)
    return f"{value:z.2f}".replace("-", "−")


def _expected(row: dict[str, Any]) -> str:
    return f"{_shown(row, 'lower')} to {_shown(row, 'upper')}"


_SAID = {
    "rebound": "Largest change for the worse from one visit to the next, in percent of the former",
    "spread": "SD over patients of the log change to the last visit",
    "lag_1": "Correlation of a patient's deviations at one visit and the next",
    "residual_sd": "Residual SD in its prior",
}


def course_sentences(checks: Checks, known: Catalogue) -> tuple[str, ...]:
    """One sentence for each statistic: as expected, or which marker surprises."""
    said = []
    for name, subject in _SAID.items():
        rows = records(checks.courses[checks.courses["statistic"] == name])
        if not rows:
            continue
        odd = [row for row in rows if surprising(row)]
        named = rows if len(rows) <= _MOST else odd
        numbers = "; ".join(
            f"{wording.in_text(known[row['marker']])} {_shown(row, 'observed')}, "
            f"expected {_expected(row)}"
            for row in named
        )
        verdict = "not as expected" if odd else "as expected"
        if len(rows) > 1:
            verdict += f" in {len(odd)} of {len(rows)} markers" if odd else " in all markers"
        said.append(f"{subject}: {verdict}{f' ({numbers})' if numbers else ''}.")
    return tuple(said)


def findings(result: Result, checks: Checks) -> tuple[str, ...]:
    """What does not fit, for page 1: nothing where all does."""
    said = []
    if checks.left_out is not None:
        table = checks.left_out.table
        far = table[table["sds"].map(student_weight, na_action="ignore") < DISCOUNTED]
        if not far.empty:
            row = records(far.loc[[far["sds"].abs().idxmax()]])[0]
            said.append(f"{_named(row, result.catalogue)} lies far from what the others say.")
    odd = [row for row in records(checks.courses) if surprising(row)]
    if odd:
        what = [
            f"{_SHORT[row['statistic']]} of {wording.in_text(result.catalogue[row['marker']])}"
            for row in odd
        ]
        said.append(f"not as the model expects: {wording.listed(what)}.")
    return tuple(said)


_SHORT = {
    "rebound": "rebound",
    "spread": "spread of patients",
    "lag_1": "lag-1 correlation",
    "residual_sd": "residual SD",
}


def course_table(checks: Checks, known: Catalogue) -> Table:
    """Statistics of the courses beside their replicates."""
    rows = []
    for row in records(checks.courses):
        marker = known[row["marker"]]
        worse = "rise" if worsening(marker) > 0 else "fall"
        name, odds = _SHORT[row["statistic"]], " of odds" if marker.scale == "logit" else ""
        rows.append(
            (
                marker.label,
                f"{name} (largest {worse}{odds}, to)" if row["statistic"] == "rebound" else name,
                _shown(row, "observed"),
                _expected(row),
                f"{100 * row['tail']:.0f} %",
                "not expected" if surprising(row) else "",
            )
        )
    who = "new patients" if "new patients" in set(checks.courses["replicated"]) else "same patients"
    return Table(
        f"Courses against those that {who} of the model would show (residual SD: its prior)",
        ("Marker", "Statistic", "Measured", "95 % of replicates", "More in", "Remark"),
        tuple(rows),
        frozenset({0, 1, 5}),
    )


def sentences(result: Result, checks: Checks) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is said of measurements and patients left out, and of the patients' courses."""
    found = checks.left_out
    left_out: Sequence[str] = (
        f"No measurement was left out: {checks.why_not}, so the distribution of a patient's "
        "measurements is not known.",
    )
    if found is not None:
        left_out = (
            pit_sentence(found),
            most_surprising(found, result.catalogue),
            discounted(result, found),
            patient_sentence(found),
            elpd_sentence(found),
            doubt_sentence(found, result.catalogue),
        )
    return tuple(filter(None, left_out)), course_sentences(checks, result.catalogue)
