"""What differs between the inputs of two runs: settings, priors, and which came after which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mnbayes.run.history import (
    data_hash,
    in_order,
    prior_texts,
    priors_of,
    recorded_changes,
    same_prior,
    same_value,
    when,
)
from mnbayes.run.record import table_of
from mnbayes.run.stored_run import StoredRun

NOT_RECORDED = "not recorded"
SETTING_COLUMNS = ("part", "item", "a", "b")
PRIOR_COLUMNS = ("model", "parameter", "marker", "a", "b")

#: Leaves of the definitions that explain and do not decide.
_TEXTS = ("why", "source", "sources", "notes", "title", "label", "short", "patients", "called")


def _text(value: object) -> str:
    if value is None:
        return NOT_RECORDED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return str(value) or "none"


def _leaves(value: object, path: tuple[str, ...] = ()) -> dict[str, object]:
    """Dotted key to value of everything below a table, without explanations."""
    if isinstance(value, Mapping):
        items = [(str(key), below) for key, below in value.items() if key not in _TEXTS]
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        # A list of tables, such as the benchmarks: named by what each is of.
        items = [(_of_what(table_of(item), str(i)), item) for i, item in enumerate(value)]
    else:
        return {".".join(path): value}
    found: dict[str, object] = {}
    for key, below in items:
        found |= _leaves(below, (*path, key))
    return found


def _of_what(table: Mapping[str, Any], place: str) -> str:
    """What a table of a list is of: a category, a marker, or its place."""
    return next((str(table[key]) for key in ("category", "name", "marker") if key in table), place)


def _inputs(manifest: Mapping[str, Any]) -> dict[tuple[str, str], object]:
    """Everything a run was given, by part and item."""
    data = table_of(manifest, "data")
    found: dict[tuple[str, str], object] = {
        ("data", "SHA-256"): data_hash(manifest),
        ("data", "patients"): data.get("patients"),
        ("data", "rows"): data.get("rows"),
        ("data", "synthetic"): manifest.get("synthetic"),
        ("models", "fitted"): list(table_of(manifest, "models")) or None,
        ("priors", "set"): manifest.get("prior_set"),
        ("priors", "single settings"): manifest.get("settings"),
        ("sampling", "seed"): manifest.get("seed"),
    }
    for name, value in _leaves(table_of(data, "trial")).items():
        found["trial", name] = value
    for name, value in _leaves(table_of(manifest, "definitions")).items():
        found["definitions", name] = value
    for name, value in table_of(manifest, "versions").items():
        found["versions", name] = value
    return found


def _model_inputs(model: object) -> dict[tuple[str, str], object]:
    described = table_of(model)
    found: dict[tuple[str, str], object] = {
        ("card", "SHA-256"): described.get("card_sha256") or described.get("own_sha256"),
        ("card", "markers"): described.get("markers"),
    }
    for name, value in table_of(described, "structure").items():
        found["card", name] = value
    for name in ("chains", "draws", "tune", "target_accept"):
        found["sampling", name] = described.get(name)
    found["sampling", "converged"] = table_of(described, "diagnostics").get("converged")
    return found


def compare_settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> pd.DataFrame:
    """What differs between the inputs of two runs, priors apart.

    Parameters
    ----------
    a, b : mapping
        Contents of their ``run.json``.

    Returns
    -------
    DataFrame
        As :attr:`Comparison.settings`.
    """
    parts = [("", _inputs(a), _inputs(b))]
    models_a, models_b = table_of(a, "models"), table_of(b, "models")
    for name in (name for name in models_a if name in models_b):
        parts.append((name, _model_inputs(models_a[name]), _model_inputs(models_b[name])))
    rows = []
    for model, of_a, of_b in parts:
        for key in dict.fromkeys([*of_a, *of_b]):
            if not same_value(of_a.get(key), of_b.get(key)):
                part, item = key
                place = f"{part} {model}" if model else part
                rows.append((place, item, _text(of_a.get(key)), _text(of_b.get(key))))
    return pd.DataFrame(rows, columns=list(SETTING_COLUMNS), dtype="str")


def compare_priors(a: Mapping[str, Any], b: Mapping[str, Any]) -> pd.DataFrame:
    """Priors that differ between two runs, in models that both have.

    Returns
    -------
    DataFrame
        As :attr:`Comparison.priors`.
    """
    priors_a, priors_b = priors_of(a), priors_of(b)
    models = set(table_of(a, "models")) & set(table_of(b, "models"))
    rows = []
    for key in dict.fromkeys([*priors_a, *priors_b]):
        of_a, of_b = priors_a.get(key), priors_b.get(key)
        if key[0] not in models or (of_a and of_b and same_prior(of_a, of_b)):
            continue
        if of_a and of_b:
            rows.append((*key, *prior_texts(of_a, of_b)))
        else:
            absent = {"formula": "no such prior"}
            rows.append((*key, (of_a or absent)["formula"], (of_b or absent)["formula"]))
    return pd.DataFrame(rows, columns=list(PRIOR_COLUMNS), dtype="str")


def post_hoc_sentence(a: StoredRun, b: StoredRun, priors: pd.DataFrame) -> str:
    """Say which of two runs changed priors after the other; empty if the data differ.

    Parameters
    ----------
    a, b : StoredRun
    priors : DataFrame
        Their differences, from :func:`compare_priors`.
    """
    same_data = data_hash(a.manifest) and data_hash(a.manifest) == data_hash(b.manifest)
    if priors.empty or not same_data:
        return ""
    first, later = (a, b) if in_order(a.manifest, b.manifest) else (b, a)
    back = _returns(first, later, priors)
    changed = len(priors) - back
    which = "1 prior is" if back == 1 else f"{back} priors are"
    again = f"{which} again as in the first fit to these data."
    if not changed:
        return again
    count = f"{changed} prior{'s' if changed > 1 else ''}"
    return (
        f"Post hoc: run {later.name} ({when(later.manifest.get('started'))}) changed {count} after "
        f"run {first.name} ({when(first.manifest.get('started'))}) had been fitted to the same "
        "data. A prior chosen after results were seen is not prior knowledge: read the later run "
        f"as a sensitivity analysis.{f' {again}' if back else ''}"
    )


def _returns(first: StoredRun, later: StoredRun, priors: pd.DataFrame) -> int:
    """How many of the priors that differ are, in the later run, those of the first fit.

    The earlier run says what it knows to have been there before itself (``post_hoc`` of its
    ``run.json``).
    """
    before = {
        (entry["model"], entry["parameter"], entry["marker"]): entry["from"]
        for entry in recorded_changes(first.manifest)
    }
    now = priors_of(later.manifest)
    keys = priors[["model", "parameter", "marker"]].itertuples(index=False, name=None)
    return sum(key in before and key in now and same_prior(before[key], now[key]) for key in keys)


def different_patients(a: StoredRun, b: StoredRun) -> str:
    """Say that two runs are of different patients; empty where they are not, or not known to be.

    Patients are the same where they have the same names: a visit may have come since.
    """
    hashes = [data_hash(run.manifest) for run in (a, b)]
    if None in hashes or hashes[0] == hashes[1]:
        return ""
    named = [set(run.numbers["patient"].dropna().astype(str)) - {""} for run in (a, b)]
    if all(named):
        both = len(named[0] & named[1])
        if both == len(named[0] | named[1]):
            return ""
        counts: list[Any] = [len(names) for names in named]
        shared = f", {both or 'none'} in both"
    else:
        counts = [table_of(run.manifest, "data").get("patients") for run in (a, b)]
        if None in counts or counts[0] == counts[1]:
            return ""
        shared = ""
    return (
        f"Different patients: {counts[0]} in A ({a.name}), {counts[1]} in B ({b.name}){shared}. "
        "Their numbers differ by who was enrolled, so Monte Carlo errors are not counted."
    )
