"""Levels of headings: a section's own headings follow that of the place where it stands."""

from __future__ import annotations

import re

from markupsafe import Markup

_HEADING = re.compile(r"<(/?)h([1-6])(?=[ >])")


def below(html: Markup, level: int) -> Markup:
    """Move the headings of a piece of a page, so that its highest ones follow a level.

    A template does not know whether its section stands alone or in a part of the report; a
    heading that skips a level misleads those who read by headings.

    Parameters
    ----------
    html : Markup
        Escaped: only the templates' own headings look like one.
    level : int
        Of the heading above, 1 to 5.

    Returns
    -------
    Markup
    """
    levels = {int(number) for _, number in _HEADING.findall(html)}
    if not levels:
        return html
    shift = level + 1 - min(levels)
    return Markup(
        _HEADING.sub(lambda found: f"<{found[1]}h{min(int(found[2]) + shift, 6)}", str(html))
    )
