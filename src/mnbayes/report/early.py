"""What of a report does not wait for a fit, made while models are still worked on."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from mnbayes.analyses.calibration.section import calibration_section
from mnbayes.analyses.characteristics.section import characteristics_parts
from mnbayes.cards.card import Card
from mnbayes.report.render import environment


def prepare_report(cards: Iterable[Card]) -> None:
    """Load, draw and compile ahead; everything is kept by what makes it."""
    import_module("great_tables")
    characteristics_parts()
    calibration_section(cards)
    templates = environment()
    for name in templates.list_templates(extensions=["j2"]):
        templates.get_template(name)
