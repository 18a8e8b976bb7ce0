"""The report's templates: those of the page, and each section's in its analysis's folder."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mnbayes.report.kit import wording
from mnbayes.report.kit.headings import below

_PACKAGE = Path(__file__).parents[2]
_FOLDERS = (_PACKAGE / "report" / "templates", _PACKAGE / "analyses")


def _unbroken(value: object) -> object:
    # A number and its percent sign stay on one line.
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if isinstance(value, str) else value


@cache
def environment() -> Environment:
    """The templates, each compiled once."""
    made = Environment(
        loader=FileSystemLoader(_FOLDERS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )
    script = Markup((_FOLDERS[0] / "report.js").read_text(encoding="utf-8"))
    made.globals.update(wording=wording, percent=wording.percent)
    made.globals.update(script=script, policy=content_policy(script))
    made.filters["below"] = below
    return made


def content_policy(script: str = "") -> Markup:
    """What a page may load, as its ``<meta>``: nothing from elsewhere, and no script but one.

    Parameters
    ----------
    script : str
        What stands between ``<script>`` and ``</script>``, to the letter; default: none.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = {
        "default-src": "'none'",
        "script-src": f"'sha256-{digest}'" if script else "'none'",
        "style-src": "'unsafe-inline'",  # columns of tables say how they are aligned
        "img-src": "'self' file: data:",  # the annex shows the pictures beside it
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    said = "; ".join(f"{name} {value}" for name, value in allowed.items())
    return Markup('<meta http-equiv="Content-Security-Policy" content="{}">').format(Markup(said))


def style_sheet() -> Markup:
    """The style sheet: our own file, not the user's."""
    return Markup((_FOLDERS[0] / "report.css").read_text(encoding="utf-8"))
