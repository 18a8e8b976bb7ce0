"""From figures to pictures: what a report embeds and the folder ``plots/`` holds."""

from __future__ import annotations

from collections.abc import Iterable

from mnbayes.report.kit.figures import svg_bytes
from mnbayes.run.section import Drawn, Picture


def pictures_of(drawn: Iterable[Drawn], model: str) -> tuple[Picture, ...]:
    """Figures as pictures, each text for those who hear it with the model's title."""
    return tuple(
        Picture(
            each.name,
            each.title,
            f"{each.alt}. Model: {model}." if each.of_model else f"{each.alt}.",
            svg_bytes(each.figure),
        )
        for each in drawn
    )
