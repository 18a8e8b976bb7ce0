"""The methods paragraph of a run: what BARG and ROBUST ask to be said, from the run's record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mnbayes.base.untrusted_text import markdown_text as plain
from mnbayes.cards.card import Structure
from mnbayes.exports.prior_tables import reasons
from mnbayes.exports.source import Source
from mnbayes.models.longitudinal import formulas
from mnbayes.report.kit import wording
from mnbayes.run.record import table_of, texts_of

#: What is said of how patients' effects go together, by the card's word.
_TOGETHER = {
    "all": "correlated across markers",
    "changes": "changes correlated across markers",
    "within": "correlated within each marker",
}


def methods(source: Source, tables: Mapping[str, str]) -> str:
    """The paragraph, in Markdown with references as ``[@key]``.

    Parameters
    ----------
    source : Source
    tables : mapping
        Name of an exported table to how the text refers to it ("Table 3").
    """
    said = source.models[source.primary]
    parts = (
        _design(source),
        _estimand(source),
        _model(source, said),
        _priors(source, said, tables),
        _computation(source, said),
        _sensitivity(source, tables),
        _software(source),
    )
    return " ".join(sentence for part in parts for sentence in part)


def formula(source: Source) -> tuple[str, ...]:
    """The primary model in formulas; empty for a model of somebody's own."""
    structure = source.models[source.primary].get("structure")
    return formulas(Structure.model_validate(structure)) if structure else ()


def _design(source: Source) -> list[str]:
    data = table_of(source.run.manifest, "data")
    measured = source.measured.get(source.marker)
    weeks = sorted(set(source.table("estimates", source.primary)["week"]))
    visits = wording.listed([f"{week:g}" for week in weeks])
    arm = f" of the arm {plain(data['arm'])}" if data.get("arm") else ""
    count = data.get("patients") or (len(measured.patients) if measured else 0)
    title = f" ({plain(source.trial['title'])})" if source.trial.get("title") else ""
    invented = "SYNTHETIC data, no real patient. " if source.synthetic else ""
    return [
        f"{invented}This was a single-arm study{title} of {count} patients{arm}, without a control "
        f"group. Patients were measured at baseline and at week{'s' * (len(weeks) > 1)} {visits}.",
    ]


def _estimand(source: Source) -> list[str]:
    label = plain(wording.in_text(source.known[source.marker]))
    week = wording.week_name(source.week)
    said = [
        f"The primary analysis is that of {week}. The estimand [@iche9r1] is the change under "
        f"treatment of {label}, as its geometric mean ratio to baseline in patients such as those "
        "enrolled"
    ]
    category = source.category
    if category:
        definitions = source.definitions
        rules = wording.definition_sentences(definitions, source.known)
        said[0] += (
            f", and the share of such patients with {plain(definitions.called(category))} by their "
            "true level"
        )
        built_on = [c for c in (category, *definitions.rule(category).named) if c in rules]
        said[0] += "."
        said += [f"{_name(source, each)}: {plain(rules[each])}" for each in built_on]
    else:
        said[0] += "."
    said.append(
        "Visits after a withdrawal, or missed, are predicted by the model (hypothetical strategy: "
        "missing at random given the patient's own earlier visits and the other patients)."
    )
    if category:
        said.append(
            "As measured, response was also counted over the evaluable and over all enrolled "
            "patients, where no measurement counts as no response (composite strategy), with exact "
            "95 % intervals [@clopper1934]."
        )
    return said


def _name(source: Source, category: str) -> str:
    return wording.capital(plain(source.definitions.label(category)))


def _model(source: Source, said: Mapping[str, Any]) -> list[str]:
    structure = said.get("structure")
    names = [plain(wording.in_text(source.known[m])) for m in source.markers(source.primary)]
    if not structure:
        return [
            f"The model ({plain(source.primary)}) of {wording.listed(names)} is stated in the "
            f"file {plain(said.get('own', ''))} (SHA-256 {plain(said.get('own_sha256', ''))})."
        ]
    odds = any(source.known[m].scale == "logit" for m in source.markers(source.primary))
    scale = "natural logarithm" + (" (log odds of percentages)" if odds else "")
    heavy = structure.get("residual") == "student_t"
    errors = "Student-t" if heavy else "normal"
    together = _TOGETHER[str(structure.get("correlation"))] if len(names) > 1 else "correlated"
    sentences = [
        f"A hierarchical model ({plain(source.primary)}) describes the {scale} of "
        f"{wording.listed(names)}{', jointly' if len(names) > 1 else ''}: a true level for each "
        "patient and visit, which is the patient's own baseline plus, after it, a mean change at "
        "that visit plus the patient's own deviation from that; baselines and deviations follow a "
        f"multivariate normal distribution, {together} (LKJ prior), and visits' mean changes vary "
        "around the marker's mean change.",
    ]
    if structure.get("trajectory") == "drift":
        sentences.append(
            "A patient's course can turn: deviations from the constant change are correlated in "
            "time (Ornstein–Uhlenbeck process)."
        )
    if structure.get("covariate"):
        sentences.append(f"Covariate of the change: {plain(structure['covariate'])}.")
    if structure.get("shrink"):
        sentences.append("The markers' mean changes are shrunk to a common one.")
    sentences.append(
        f"The likelihood of a measurement is {errors} around the true level; a value known only to "
        "lie in an interval, or beyond a detection limit, enters as the probability of that "
        "interval."
    )
    # That a model leaves out the markers of other models goes without saying in a paper.
    left = [str(text) for text in said.get("left_out") or ()]
    return sentences + [plain(text) for text in left if not text.startswith("Rows of markers")]


def _priors(source: Source, said: Mapping[str, Any], tables: Mapping[str, str]) -> list[str]:
    if not said.get("priors"):
        return []
    sets = source.run.manifest.get("prior_sets") or []
    names = wording.listed([plain(each["name"]) for each in sets]) or plain(
        source.run.manifest.get("prior_set", "")
    )
    where = tables.get("priors", "")
    where += ", each with its reason and its source" if where and reasons(source) else ""
    where = f" ({where})" if where else ""
    sentences = [f"Priors were those of the set {names}{where}."]
    # The first sentence says what such priors assume; the others are the table's footnote.
    sentences += [f"{plain(each['why'].split('. ')[0].rstrip('.'))}." for each in sets]
    changed = texts_of(source.run.manifest, "settings")
    if changed:
        sentences.append(f"Set by hand: {plain(', '.join(changed))}.")
    if source.run.manifest.get("post_hoc"):
        sentences.append(
            "Priors were changed after the results of an earlier fit to the same data had been "
            "seen (post hoc)."
        )
    return sentences


def _computation(source: Source, said: Mapping[str, Any]) -> list[str]:
    versions = table_of(source.run.manifest, "versions")
    checks = table_of(said, "diagnostics")
    engine = said.get("engine", "nuts")
    counts = f"{said.get('chains')} chains of {said.get('draws'):,} draws"
    if "own" in said and not said["own"]:
        how = f"The posterior was sampled outside mnbayes ({plain(engine)}), {counts}"
    elif engine == "collapsed":
        how = (
            "The posterior was computed by importance sampling of the density with the patients' "
            f"effects integrated out, resampled to {counts}"
        )
    else:
        how = (
            "The posterior was sampled by the No-U-Turn sampler [@hoffman2014] of nutpie [@nutpie] "
            f"{plain(versions.get('nutpie', ''))} with {counts} after {said.get('tune'):,} tuning "
            f"draws each (target acceptance {said.get('target_accept')})"
        )
    seed = source.run.manifest.get("seed")
    found = [f"{how}, seed {seed}."]
    rhat, bulk, tail = (
        float(checks.get(name, np.nan))
        for name in ("worst_rhat", "worst_ess_bulk", "worst_ess_tail")
    )
    energy, weights = checks.get("worst_bfmi"), checks.get("pareto_k")
    error = _largest_error(source)
    found.append(
        f"Convergence [@vehtari2021]: {checks.get('divergences')} divergent transitions, largest "
        f"R-hat {rhat:.3f} (below 1.01 required), smallest bulk and tail effective sample size "
        f"{bulk:,.0f} and {tail:,.0f} (400 required)"
        + (f", smallest E-BFMI {energy:.2f} (0.3 required)" if energy is not None else "")
        + (f", Pareto k of the weights {weights:.2f} (at most 0.7)" if weights is not None else "")
        + (
            f"; largest Monte Carlo standard error of a probability {error} points."
            if error
            else "."
        )
    )
    if source.doubtful(source.primary):
        found.append(f"The fit did NOT converge: {plain(source.doubtful(source.primary))}.")
    return found


def _largest_error(source: Source) -> str:
    if source.withheld(source.primary):
        return ""
    table = source.table("probabilities", source.primary)
    errors = table["mcse"].dropna().tolist() if "mcse" in table else []
    return wording.points(max(map(float, errors))) if errors else ""


def _sensitivity(source: Source, tables: Mapping[str, str]) -> list[str]:
    done = {
        "influence": "leaving out each patient in turn (exact refits)",
        "prior_sensitivity": "letting the priors count half or twice (power scaling) "
        "[@kallioinen2024]",
        "prior_sets": "refitting under other prior sets",
        "structures": "refitting other structures of the model",
        "withdrawal": "reading the draws under other assumptions on those who withdrew",
    }
    named = [f"{text} ({tables[name]})" for name, text in done.items() if name in tables]
    if not named:
        return ["No sensitivity analysis is part of the run."]
    return [
        f"Sensitivity was examined by {wording.listed(named)}. Every answer stands beside the same "
        "number under the prior alone."
    ]


def _software(source: Source) -> list[str]:
    versions = table_of(source.run.manifest, "versions")
    cited = {"mnbayes": "mnbayes", "pymc": "pymc2023", "arviz": "arviz2019", "nutpie": "nutpie"}
    named = [
        f"{plain(name)} {plain(number)}" + (f" [@{cited[name]}]" if name in cited else "")
        for name, number in versions.items()
    ]
    return [
        f"Software: {wording.listed(named)}." if named else "Versions were not recorded.",
        "The items of BARG [@kruschke2021] and ROBUST [@sung2005] are reported as far as the run "
        "holds them.",
        f"Data: SHA-256 {table_of(source.run.manifest, 'data').get('sha256', 'not recorded')}.",
    ]
