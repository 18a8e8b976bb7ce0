"""A hash of what of cards decides a fit.

It notices that a stored result is of another model, other priors or other structure. That the
program still computes from them what it did is told by numbers, not by its text: the first
replicates of a stored study are done again (:mod:`mnbayes.studies.rerun`), so that renaming or
rewriting a source file that leaves the numbers alone costs nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from mnbayes.cards.card import Card


def fingerprint(cards: Iterable[Card]) -> str:
    """Hash markers, structure and priors of cards; reasons, sources and layout do not count."""
    digest = hashlib.sha256()
    for card in cards:
        digest.update(json.dumps(_numbers(card), sort_keys=True).encode())
    return digest.hexdigest()


def _numbers(card: Card) -> dict[str, Any]:
    """What of a card decides a fit."""
    return {
        "markers": card.markers,
        "structure": card.structure.model_dump(mode="json"),
        "priors": {
            name: {
                marker: [spec.distribution, spec.arguments]
                for marker, spec in card.prior[name].items()
            }
            for name in card.parameters
        },
    }
