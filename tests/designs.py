"""Evidence, and a run's folder, that nobody fitted."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import xarray as xr
from trees import make_tree

from mnbayes.analyses.design.evidence import Evidence
from mnbayes.analyses.design.rules import DecisionCard, load_rules
from mnbayes.answers.probability_tables import probability_table
from mnbayes.answers.response_draws import judge_of, response_draws
from mnbayes.cards.definitions import load_definitions

PROTEIN, ALBUMIN = "urine_protein_24h", "albumin"
DEFINITIONS = load_definitions()
CARD = load_rules()


def evidence_from(tree: xr.DataTree, model: str = "remission", /, **changes: object) -> Evidence:
    """Evidence of a tree; keywords change it."""
    posterior = tree["posterior"].to_dataset()
    fields: dict[str, object] = {
        "model": model,
        "tree": tree,
        "markers": tuple(posterior["marker"].to_numpy().tolist()),
        "weeks": tuple(posterior["later_visit"].to_numpy().tolist()),
        "primary_week": float(posterior["later_visit"].to_numpy()[-1]),
        "not_evaluable": dict(judge_of(tree, DEFINITIONS).reasons),
        "probabilities": probability_table(response_draws(tree, DEFINITIONS, 1), model),
        "responses": DEFINITIONS.responses,
        "categories": DEFINITIONS.categories,
    }
    return Evidence(**(fields | changes))  # type: ignore[arg-type]


def short(card: DecisionCard = CARD, **trial: object) -> DecisionCard:
    """The card with a few small trials; keywords change them."""
    data = card.model_dump()
    data["next_trial"] |= {"patients": (10, 20), "withdrawal": (0.0, 0.2), "confidence": (0.9,)}
    data["next_trial"] |= trial
    return DecisionCard.model_validate(data)


def stored_run(folder: Path, withheld: tuple[str, ...] = (), reasons: tuple[str, ...] = ()) -> Path:
    """A finished run's folder, as far as ``mnbayes design`` reads it: two models."""
    models = {"proteinuria": (PROTEIN,), "remission": (PROTEIN, ALBUMIN)}
    (folder / "posterior").mkdir(parents=True)
    tables, recorded = [], {}
    for name, markers in models.items():
        spec = {
            "markers": markers,
            "visits": (0.0, 4.0, 12.0),
            "missing": ((0, 2, 0),),
            "draws": 60,
        }
        tree = make_tree(**spec)
        tree.to_netcdf(folder / "posterior" / f"{name}.nc", engine="h5netcdf")
        tables.append(evidence_from(tree, name).probabilities)
        recorded[name] = {
            "markers": list(markers),
            "withheld": list(withheld),
            "diagnostics": {"reasons": list(reasons or withheld)},
        }

    pd.concat(tables).to_csv(folder / "probabilities.csv", index=False)
    manifest = {
        "started": "2026-01-02T03:04:05+00:00",
        "synthetic": True,
        "definitions": DEFINITIONS.recorded(),
        "models": recorded,
    }
    (folder / "run.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def withheld_evidence() -> Evidence:
    """Evidence of a fit that failed its checks."""
    tree = make_tree(draws=50)
    return evidence_from(tree, tree=None, withheld=("R-hat 1.200",), doubtful=("R-hat 1.200",))
