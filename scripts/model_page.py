"""Write the model's graph and statement into docs/model.md; a test fails when they are not it.

Run ``python scripts/model_page.py``.
"""

import inspect
import re
from pathlib import Path

import pymc as pm

import mnbayes as mn
from mnbayes.models import longitudinal

PAGE = Path(__file__).parents[1] / "docs" / "model.md"


def fenced(language: str, text: str) -> str:
    """A block of code in Markdown."""
    return f"```{language}\n{text.rstrip()}\n```"


def in_order(graph: str) -> str:
    """A graph whose plates and their variables stand in order: PyMC's sets have none."""
    before, *plates = graph.rstrip().split("\nsubgraph ")
    sorted_plates = []
    for plate in plates:
        name, *variables, end = plate.split("\n")
        sorted_plates.append("\n".join([name, *sorted(variables), end]))
    head, *edges = before.split("%% Edges:\n")
    links = [line for line in edges[0].split("\n") if "-->" in line]
    body = f"{head}%% Edges:\n" + "\n".join(sorted(links)) + "\n\n%% Plates:"
    return "\nsubgraph ".join([body, *sorted(sorted_plates)])


def parts() -> dict[str, str]:
    """What stands between the page's marks, by their name."""
    card = mn.load_card("remission")
    stated = mn.model(card, mn.embedded_cohort())
    # GitHub's renderer knows no shapes of this kind; the brackets before them say the same.
    graph = re.sub(r"^\w+@\{.*\}\n", "", pm.model_to_mermaid(stated), flags=re.MULTILINE)
    return {
        "graph": fenced("mermaid", in_order(graph)),
        "formulas": fenced("text", "\n".join(longitudinal.formulas(card.structure))),
        "statement": fenced("python", inspect.getsource(longitudinal.statement)),
    }


def filled(page: str) -> str:
    """The page with its parts as they are now."""
    for name, text in parts().items():
        marks = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, after = page.split(marks[0])[0], page.split(marks[1])[1]
        page = f"{before}{marks[0]}\n{text}\n{marks[1]}{after}"
    return page


def main() -> None:
    """Write the page."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
