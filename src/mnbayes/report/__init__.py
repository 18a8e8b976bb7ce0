"""The report of a run: one self-contained HTML page.

The templates hold the words, the modules here the numbers; nothing is computed in a template.
"""

from __future__ import annotations

from mnbayes.report.render import render_report

__all__ = ["render_report"]
