"""What an answer is about, in words: subject of a sentence, head of a row."""

from __future__ import annotations

from mnbayes.answers.conclusions import Row as Row
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import Catalogue
from mnbayes.report.kit import wording
from mnbayes.report.kit.wording import percent, probability


def answer(row: Row, definitions: Definitions, known: Catalogue) -> str:
    """What a row is about, as the subject of a sentence."""
    kind = row["kind"]
    called = definitions.called(row["category"]) if row["category"] else ""
    marker = known.get(row["marker"])
    label = "" if marker is None else wording.in_text(marker)
    ratio = "ratio" if marker is None else marker.ratio
    short = " (GMR)" if ratio == "ratio" else ""
    bar = percent(definitions.benchmarks[row["category"]]) if kind == "exceeds" else ""
    return {
        "gmr": f"the {ratio} of {label} to baseline{short}",
        "p_fall": f"the probability that {label} fell",
        "p_rise": f"the probability that {label} rose",
        "next_patient": f"the next patient's probability of {called}",
        "population": f"the expected share of such patients with {called}",
        "exceeds": f"the probability that more than {bar} of such patients have {called}",
        "latent": f"{row.get('patient', '')}'s probability of {called}",
    }[kind]


def heading(row: Row, definitions: Definitions, known: Catalogue) -> str:
    """What a row is about, as the head of a table's row."""
    category, kind = row["category"], row["kind"]
    called = definitions.short(category) if category else ""
    if kind == "exceeds":
        return f"P(share with {called} > {percent(definitions.benchmarks[category])})"
    if row["marker"]:
        marker = known[row["marker"]]
        what = {"gmr": marker.mean_ratio, "p_fall": "P(fall)", "p_rise": "P(rise)"}[kind]
        return f"{marker.label}: {what}"
    what = {"next_patient": "Next patient", "population": "Share", "latent": "True level"}[kind]
    return f"{what}: {called}"


def number(row: Row, suffix: str = "") -> str:
    """A row's number as text, no digit finer than its Monte Carlo error."""
    value = row[f"value{suffix}"]
    if row["kind"] == "gmr":
        return wording.ratio(value)
    return probability(value, row[f"mcse{suffix}"])


def lines_text(line: float) -> str:
    """The lines between conclusions: "80 % or 20 %"."""
    return f"{percent(line)} or {percent(1 - line)}"
