"""Work out the stored numbers of the historical model: benchmark and `historical` prior set.

Run ``python scripts/historical_prior.py`` after data/historical.csv, models/historical.toml or the
remission card changed (``tests/test_historical_stored.py`` then fails and says so), and write what
it prints into models/definitions/embedded.toml and models/priors/historical.toml. It takes
some seconds.
"""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from mnbayes.analyses.historical.card import load_historical_card
from mnbayes.analyses.historical.matching import match_card, match_published
from mnbayes.analyses.historical.stored import stored_rate
from mnbayes.analyses.historical.table import load_historical
from mnbayes.cards.card import load_card
from mnbayes.cards.definitions import load_definitions
from mnbayes.cards.prior_sets import load_prior_set


def main() -> int:
    """Fit, match and print what is stored beside what it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=20_000, help="draws of each of four chains")
    arguments = parser.parse_args()
    card = load_historical_card()
    definitions = load_definitions()
    rate = stored_rate(load_historical(classes=card.classes), card, arguments.draws)
    stored = {
        (change.parameter, change.marker): change.values
        for change in load_prior_set("historical").changes
    }
    shown = Table("number", "stored", "worked out", title="Stored numbers of the historical model")
    shown.add_row(
        "benchmark of remission (mean of the predictive rate)",
        f"{definitions.benchmarks['remission']:g}",
        f"{rate.mean:.4f} (MC error {rate.error:.4f})",
    )
    shown.add_row(
        "its SD and 95 % interval", "", f"{rate.sd:.3f}; {rate.lower:.3f} to {rate.upper:.3f}"
    )
    shown.add_row("its ELIR, patients", "", f"{rate.ess:.1f}")
    for key, found in (
        (
            ("change_mean", "urine_protein_24h"),
            match_card(load_card("remission"), definitions, rate),
        ),
        (("mean_log_ratio", ""), match_published(rate)),
    ):
        name = ".".join(part for part in key if part)
        for argument in ("mu", "sigma"):
            value = getattr(found, argument)
            shown.add_row(f"{name}.{argument}", f"{stored[key][argument]:g}", f"{value:.3f}")
        shown.add_row(
            f"{name}: implied share in remission", "", f"mean {found.mean:.3f}, SD {found.sd:.3f}"
        )
    Console().print(shown)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
