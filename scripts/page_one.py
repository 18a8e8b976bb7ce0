"""Quote page 1 of a run's report in docs/reading-the-report.md, word for word.

python scripts/page_one.py results/RUN    (a folder that `make fit` wrote)
"""

from __future__ import annotations

import argparse
import re
from html import unescape
from pathlib import Path

from page_blocks import write_block

PAGE = Path(__file__).parents[1] / "docs" / "reading-the-report.md"
BLOCK = "page 1"


def page_one(report: str) -> str:
    """Page 1 of a report as Markdown: headings, sentences, what the pictures show.

    Parameters
    ----------
    report : str
        ``report.html``.
    """
    section = re.search(r'<section id="summary".*?</section>', report, re.DOTALL)
    if section is None:
        raise SystemExit("The report has no page 1.")
    html = re.sub(r"<span popover.*?</span>", "", section.group(0), flags=re.DOTALL)
    lines = []
    for tag, words, alt in re.findall(
        r'<(h2|p)\b[^>]*>(.*?)</\1>|<img[^>]*alt="([^"]*)"', html, re.DOTALL
    ):
        text = re.sub(r"<strong>(.*?)</strong>", r"**\1**", words or f"*Picture: {alt}*")
        text = " ".join(unescape(re.sub(r"<[^>]+>", "", text)).split())
        lines.append(f"> **{text}**" if tag == "h2" else f"> {text}")
    return "\n>\n".join(lines)


def main() -> None:
    """Rewrite the page's block."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path, help="folder of a run on the embedded cohort")
    report = (parser.parse_args().run / "report.html").read_text(encoding="utf-8")
    write_block(PAGE, BLOCK, page_one(report))


if __name__ == "__main__":
    main()
