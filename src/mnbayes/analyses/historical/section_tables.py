"""Tables of the historical model."""

from __future__ import annotations

from typing import Any

from mnbayes.analyses.historical.card import HistoricalCard
from mnbayes.analyses.historical.fit import HistoricalResult
from mnbayes.base.number_words import between
from mnbayes.base.text_table import Table, records
from mnbayes.report.kit import wording
from mnbayes.report.kit.wording import percent, percent_range, percent_with_range, probability

PATIENTS = {"yes": "refractory", "no": "non-refractory", "mixed": "mixed"}
_PARAMETERS = {
    "class_log_odds": "log odds of the class, at the benchmark’s patients and month",
    "refractory": "log odds ratio, refractory to not refractory",
    "doubling_of_time": "log odds ratio for each doubling of time",
    "between_study_sd": "SD between studies of one class, log odds (τ)",
    "arm_correlation": "share of that variance common to the arms of a study (ρ)",
}


def _with_range(row: dict[str, Any], centre: str, after: str = "") -> str:
    return percent_with_range(*(row[f"{name}{after}"] for name in (centre, "lower", "upper")))


_RATES = (
    *("Arms of such patients", "Mean", "MC error, points", "95 % interval"),
    *("Typical study: median (95 %)", "Prior alone: mean (95 %)", "Extrapolated?"),
)


def class_rows(result: HistoricalResult) -> Table:
    """Rates of a new study of each class, in the benchmark's patients at its month."""
    mark = result.card.benchmark
    rows = tuple(
        (result.card.titles[row["treatment_class"]], *_rate(row))
        for row in records(result.rates)
        if (row["refractory"], row["month"]) == (mark.refractory, mark.month)
    )
    caption = (
        f"Rate of remission of a new study of {PATIENTS[mark.refractory]} patients at month "
        f"{mark.month:g}; the first row is the benchmark"
    )
    return Table(caption, ("Class", *_RATES), rows, frozenset({0, 7}))


def rate_rows(result: HistoricalResult) -> Table:
    """Rates of a new study by class, kind of patients and month."""
    rows = tuple(
        (
            f"{result.card.titles[row['treatment_class']]}, {PATIENTS[row['refractory']]}",
            f"{row['month']:g}",
            *_rate(row),
        )
        for row in records(result.rates)
    )
    caption = "Rate of remission of a new study, by class and time; the first row is the benchmark"
    return Table(caption, ("Patients", "Month", *_RATES), rows, frozenset({0, 8}))


def _rate(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(row["arms"]),
        probability(row["mean"], row["mcse"]),
        wording.points(row["mcse"]),
        percent_range(row["lower"], row["upper"]),
        percent_with_range(*(row[f"typical_{name}"] for name in ("median", "lower", "upper"))),
        _with_range(row, "mean", "_prior"),
        str(row["beyond"]) or "–",
    )


def conflict_rows(result: HistoricalResult) -> Table:
    """The trial's counts against history."""
    rows = []
    for row in records(result.conflict):
        prior = row["p_at_least_prior"]
        rows.append(
            (
                str(row["count"]),
                f"{row['remission']} of {row['n']}",
                f"{row['expected']:.1f} ({row['lower']} to {row['upper']})",
                probability(row["p_at_least"], row["p_at_least_mcse"]),
                wording.probability_of_draws(prior, 4000),
                percent(row["p_as_unlikely"]),
                f"{percent(row['vague_weight'])} → {percent(row['vague_weight_after'])}",
                _with_range(row, "mean", "_after"),
                percent(row["mean_without_history"]),
            )
        )
    return Table(
        "The trial’s remissions against what history predicts",
        (
            *("Count", "Seen", "Predicted (95 %)", "P(so many or more)", "… prior alone"),
            *("P(as unlikely a count)", "Weight of the vague part"),
            *("Rate after the count, robust (95 %)", "… vague part alone"),
        ),
        tuple(rows),
    )


def arm_rows(result: HistoricalResult) -> Table:
    """Every arm: what was counted, what the model makes of it, where it is from."""
    rows = []
    both = zip(records(result.arms), records(result.table.rows), strict=True)
    for row, source in both:
        ends = between(f"{row['low']}", f"{row['high']}")
        about = "about " if row["month_is"] == "average" else ""
        rows.append(
            (
                f"{row['study']}: {row['arm']}",
                result.card.titles[row["treatment_class"]],
                row["refractory"],
                f"{about}{row['month']:g}",
                f"{ends} of {row['n']}",
                f"{row['weight']:.2g}",
                percent_range(row["observed_lower"], row["observed_upper"]),
                _with_range(row, "median"),
                str(source["reference"]),
                str(source["note"]) or "–",
            )
        )
    return Table(
        "Every arm, as published and in the model",
        (
            *("Study: arm", "Class", "Refractory", "Month", "In remission", "Counts"),
            *("Exact 95 % limits", "Rate in the model (95 %)", "Source", "Note"),
        ),
        tuple(rows),
        frozenset({0, 1, 2, 8, 9}),
        wide=True,
    )


def left_out_rows(result: HistoricalResult) -> Table:
    """Each study predicted from the others, and the benchmark without it."""
    rows = []
    for row in records(result.left_out):
        if row["reason"]:
            blank = (wording.BLANK,) * 5
            rows.append((f"{row['study']}: {row['arm']}", *blank, f"withheld: {row['reason']}"))
            continue
        ends = between(f"{row['low']}", f"{row['high']}")
        rows.append(
            (
                f"{row['study']}: {row['arm']}",
                f"{ends} of {row['n']}",
                percent_with_range(
                    row["predicted"], row["predicted_lower"], row["predicted_upper"]
                ),
                f"{row['count_lower']:.0f} to {row['count_upper']:.0f}",
                probability(row["p_as_few"], row["p_as_few_mcse"]),
                probability(row["p_as_many"], row["p_as_many_mcse"]),
                _with_range(row, "mean"),
            )
        )
    return Table(
        "Leaving one study out: its arms predicted from the others, and the benchmark without it",
        (
            *("Study: arm", "Seen", "Rate predicted (95 %)", "Count predicted, 95 %"),
            *("P(so few or fewer)", "P(so many or more)", "Benchmark without it: mean (95 %)"),
        ),
        tuple(rows),
    )


def reading_rows(result: HistoricalResult) -> Table:
    """The benchmark under other readings of the table."""
    own = records(result.rates.iloc[:1])[0]
    rows = [
        ("as the card says", "", str(len(result.arms)), _with_range(own, "mean"), wording.BLANK)
    ]
    for row in records(result.readings):
        shown = not row["reason"]
        rows.append(
            (
                str(row["reading"]),
                str(row["why"]),
                str(row["arms"]),
                _with_range(row, "mean") if shown else f"withheld: {row['reason']}",
                f"{row['between_study_sd']:.2f}" if shown else wording.BLANK,
            )
        )
    return Table(
        "The benchmark when the table is read otherwise",
        ("Reading", "What it shows", "Arms", "Benchmark: mean (95 %)", "SD between studies"),
        tuple(rows),
        frozenset({0, 1}),
        wide=True,
    )


def parameter_rows(result: HistoricalResult) -> Table:
    """Posterior of the parameters with their convergence."""
    table = result.diagnostics
    rows = [
        (
            str(row["parameter"]),
            _PARAMETERS[str(row["parameter"]).split("[")[0]],
            f"{row['mean']:.2f}",
            f"{row['sd']:.2f}",
            f"{row['rhat']:.3f}",
            f"{row['ess_bulk']:.0f}",
            f"{row['ess_tail']:.0f}",
        )
        for row in records(table)
        if str(row["parameter"]).split("[")[0] in _PARAMETERS
    ]
    return Table(
        "Parameters, and how well they were sampled",
        ("Parameter", "What it is", "Mean", "SD", "R-hat", "ESS bulk", "ESS tail"),
        tuple(rows),
        frozenset({0, 1}),
        wide=True,
    )


def prior_rows(card: HistoricalCard) -> Table:
    """Every prior, what it means, why, and its source."""
    rows = tuple(
        (name, spec.formula, spec.explained, spec.why, spec.source)
        for name, spec in card.prior.items()
    )
    return Table(
        "Priors of the historical model",
        ("Prior", "Distribution", "Meaning", "Why", "Source"),
        rows,
        frozenset({0, 1, 2, 3, 4}),
        wide=True,
    )
