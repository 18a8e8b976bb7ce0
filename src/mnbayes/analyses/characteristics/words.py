"""Operating characteristics in sentences; for the report, the terminal and the documents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mnbayes.analyses.characteristics.result import Characteristics, Described
from mnbayes.base.montecarlo import round_to_mcse

#: Numbers of patients that a sentence is about, the trial's own first.
_TRIAL = 8
#: A percentage point, and the error above which a share rests on too few cases for whole percents.
_POINT, _FEW = 0.01, 0.05
#: Scenarios in which patients are picked for a high measurement.
SELECTION = ("regression_to_mean", "strong_regression")
#: Category that is said of single patients, in words.
CALLED = {"effective": "effective", "remission": "in remission"}


def typical(found: Characteristics) -> int:
    """The number of patients that the sentences are about: eight, or the nearest to it."""
    return min(found.patients, key=lambda n: abs(n - _TRIAL))


def share(value: float, error: float) -> str:
    """A share in whole percents; where its Monte Carlo error is over five points, no finer.

    The largest error of a table stands in its caption; a share that rests on a handful of cases
    is a bound where all of them agree.
    """
    coarse = error > _FEW or (error > _POINT and not _POINT / 2 <= value < 1 - _POINT / 2)
    return round_to_mcse(float(value), float(error) if coarse else min(float(error), _POINT))


def rate(found: Characteristics, judge: str, scenario: str, patients: int) -> str:
    """How often a judge says go."""
    row = found.cell(judge, scenario, patients)
    return share(float(row["go"]), float(row["go_mcse"]))


def sentences(found: Characteristics) -> tuple[str, ...]:
    """What the rates come to, the worst first."""
    n = typical(found)
    picked = [item for item in found.false_go if item.name in SELECTION]
    others = [item for item in found.false_go if item.name not in SELECTION]
    said = []
    if picked:
        said.append(
            "No analysis of a single arm can tell regression to the mean from a change: where "
            "nobody changes but patients were enrolled for a high measurement, every go is false."
        )
        said += [_regression(found, item, n) for item in picked]
        said.append(
            "A rule that asks for a relevant fall errs less only as long as the fall that "
            "selection makes is smaller than that. More patients make a test surer of a fall that "
            "is none, and a rule surer only of how large it is; a control group, or a baseline "
            "measured again after enrolment, is what helps."
        )
    if others:
        said.append(_range(found, n, "Where nothing has improved and nobody was selected", others))
    if found.other_go:
        said.append(_range(found, n, "Where proteinuria has truly fallen", found.other_go))
    said.append(_intervals(found, n))
    if not found.per_patient.empty:
        said += [
            _of_patients(found, n, start, chosen)
            for start, chosen in (
                ("nothing has improved on average", found.false_go),
                ("proteinuria has truly fallen", found.other_go),
            )
            if chosen
        ]
    said += _not_judged(found)
    return tuple(said)


def summary(found: Characteristics) -> tuple[str, ...]:
    """What the rates come to, in a report: false go, right go, coverage, what failed."""
    n = typical(found)
    picked = [item for item in found.false_go if item.name in SELECTION]
    others = [item for item in found.false_go if item.name not in SELECTION]
    said = [
        _range(found, n, start, chosen)
        for start, chosen in (
            ("Where nobody changes but patients were enrolled for a high measurement", picked),
            ("Where nothing has improved and nobody was selected", others),
            ("Where proteinuria has truly fallen", found.other_go),
        )
        if chosen
    ]
    return (*said, _intervals(found, n), *_not_judged(found))


def _not_judged(found: Characteristics) -> tuple[str, ...]:
    return tuple(
        f"Not judged here: rule “{name}” ({why}, which this model has not)."
        for name, why in found.left_out.items()
    )


def _regression(found: Characteristics, scenario: Described, n: int) -> str:
    most = max(found.patients)
    rates = []
    for judge in found.judges:
        text = f"{judge.title} {rate(found, judge.name, scenario.name, n)}"
        if most != n:
            text += f" ({rate(found, judge.name, scenario.name, most)} with {most})"
        rates.append(text)
    table = found.estimates
    row = table[(table["scenario"] == scenario.name) & (table["patients"] == n)].iloc[0]
    fall = 100 * (1 - np.exp(float(row["bias"])))
    return (
        f"{scenario.title}: the model sees a fall of {fall:.0f} % that is none, and its 95 % "
        "intervals hold the truth "
        f"{share(float(row['coverage']), float(row['coverage_mcse']))} of the time. With "
        f"{n} patients, false go: {'; '.join(rates)}."
    )


def _range(found: Characteristics, n: int, start: str, chosen: Sequence[Described]) -> str:
    parts = []
    for judge in found.judges:
        rates = []
        for scenario in chosen:
            rows = found.of(judge.name, scenario.name)
            row = rows[rows["patients"] == n].iloc[0]
            rates.append((float(row["go"]), float(row["go_mcse"])))
        low, high = (share(*end) for end in (min(rates), max(rates)))
        parts.append(f"{judge.title} {low}" + (f" to {high}" if low != high else ""))
    return f"{start}, trials of {n} end in go, by scenario: {'; '.join(parts)}."


def _intervals(found: Characteristics, n: int) -> str:
    titles = {item.name: item.title for item in found.scenarios}
    table = found.estimates
    rows = table[table["patients"] == n].sort_values("coverage").to_dict("records")
    least, most = (
        f"{share(float(row['coverage']), float(row['coverage_mcse']))} "
        f"(“{titles[row['scenario']]}”)"
        for row in (rows[0], rows[-1])
    )
    total = int(table["replicates"].sum())
    lost = int(table["withheld"].sum() + table["failed"].sum())
    kept = (
        f"{lost:,} of {total:,} fits were withheld or failed; they count as no go and as "
        "intervals that do not hold the truth."
        if lost
        else "No fit was withheld."
    )
    between = (
        f"{least} of the time" if len(rows) == 1 else f"between {least} and {most} of the time"
    )
    return f"With {n} patients, 95 % intervals of the ratio hold the truth {between}. {kept}"


def told(found: Characteristics, scenario: str, patients: int, quantity: str) -> str:
    """A share of patients in a scenario."""
    return share(*found.told(scenario, patients).get(quantity, (np.nan, np.nan)))


def categories(found: Characteristics) -> tuple[str, ...]:
    """Categories that are said of single patients."""
    names = found.per_patient["quantity"].unique()
    return tuple(name.removeprefix("wrong_") for name in names if name.startswith("wrong_"))


def _of_patients(found: Characteristics, n: int, start: str, chosen: Sequence[Described]) -> str:
    def between(quantity: str) -> str:
        values = [found.told(item.name, n)[quantity] for item in chosen]
        known = [value for value in values if np.isfinite(value).all()]
        if not known:
            return "–"
        low, high = (share(*end) for end in (min(known), max(known)))
        return low if low == high else f"{low} to {high}"

    parts = [f"95 % intervals hold the true ratio {between('covered_95')} of the time"]
    for category in categories(found):
        called = CALLED[category]
        parts += [
            f"{between(f'wrong_{category}')} are wrongly called likely or unlikely {called}",
            f"of those called likely {called}, {between(f'true_{category}')} truly are",
        ]
    return f"Of single patients, trials of {n}, where {start}, by scenario: {'; '.join(parts)}."


def relative(bias: float) -> str:
    """A bias of the log ratio as estimated over true: "1.06"."""
    return "–" if np.isnan(bias) else f"{np.exp(bias):.2f}"
