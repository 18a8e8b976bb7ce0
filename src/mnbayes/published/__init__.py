"""What a paper publishes: facts, readings, and the posterior that follows from them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnbayes.published.card import PublishedCard as PublishedCard
    from mnbayes.published.card import load_published_card as load_published_card
    from mnbayes.published.card import override_published as override_published
    from mnbayes.published.facts import Facts as Facts
    from mnbayes.published.facts import load_facts as load_facts
    from mnbayes.published.fit import fit_published as fit_published
    from mnbayes.published.result import PublishedResult as PublishedResult

_HOME = {
    "Facts": "facts",
    "PublishedCard": "card",
    "PublishedResult": "result",
    "fit_published": "fit",
    "load_facts": "facts",
    "load_published_card": "card",
    "override_published": "card",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    # Loaded when first used: prior sets need only this package's names.
    if name not in _HOME:
        raise AttributeError(f"module 'mnbayes.published' has no attribute {name!r}")
    value = getattr(import_module(f"mnbayes.published.{_HOME[name]}"), name)
    globals()[name] = value
    return value
