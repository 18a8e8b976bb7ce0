"""A run's figures as SVG, PDF and PNG.

A run keeps its figures as SVG; to draw them again would need what every analysis found, which
a run does not keep, so they are converted. The converter is Typst: one wheel for every system
without a library of the system beside it (CairoSVG needs Cairo; svglib drops clipping and
patterns; a browser is not always there). It gives true vectors with embedded fonts and text
that can be selected, reads styles and patterns, and with Matplotlib's own fonts the letters
stand where Matplotlib put them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Literal

from mnbayes.base.new_files import temporary_folder
from mnbayes.base.problems import InputError, Problem, did_you_mean
from mnbayes.base.untrusted_text import visible

#: What ``--figures`` takes.
KINDS = ("svg", "pdf", "png")
#: What a figure is converted to.
type Kind = Literal["pdf", "png"]
#: Dots per inch of a PNG, as journals ask for.
DPI = 300
_PAGE = """#set document(title: "{title}", date: none)
#set page(width: auto, height: auto, margin: 0pt)
#image("/figure.svg")
"""


def figure_kinds(asked: Iterable[str]) -> tuple[str, ...]:
    """Formats that are asked for, each once; several may stand in one text, with commas.

    Raises
    ------
    InputError
        With every one that there is not.
    """
    return choices(asked, KINDS, "--figures")


def choices(asked: Iterable[str], known: Iterable[str], option: str) -> tuple[str, ...]:
    """What an option that may be repeated, or take a list with commas, asks for.

    Raises
    ------
    InputError
        With every choice that there is not.
    """
    names = tuple(known)
    found = [part.strip().lower() for text in asked for part in text.split(",")]
    problems = [
        Problem(
            option, None, None, repr(name), f"one of {', '.join(names)}{did_you_mean(name, names)}"
        )
        for name in dict.fromkeys(found)
        if name not in names
    ]
    if problems:
        raise InputError(problems)
    return tuple(dict.fromkeys(found))


def stored_figures(run: Path) -> list[Path]:
    """The figures of a run, without ArviZ's own pictures of each model."""
    return sorted((run / "plots").glob("*.svg"))


def figure_files(paths: Iterable[Path], kinds: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Figures in some formats: name and content of each file.

    Parameters
    ----------
    paths : iterable of Path
        SVG files.
    kinds : iterable of str
        Of :data:`KINDS`.

    Raises
    ------
    InputError
        If one of the files is no SVG that can be read.
    """
    wanted = tuple(kinds)
    with temporary_folder() as place:
        converter = None
        for path in paths:
            content = path.read_bytes()
            for kind in wanted:
                if kind == "svg":
                    yield path.name, content
                else:
                    converter = converter or _Converter(place)
                    made = converter.convert(
                        f"plots/{path.name}", path.stem, content, "pdf" if kind == "pdf" else "png"
                    )
                    yield f"{path.stem}.{kind}", made


def titled_pdfs(figures: Iterable[tuple[str, str, bytes]]) -> Iterator[bytes]:
    """Figures as PDF: the same bytes for the same figures, with their fonts inside.

    Parameters
    ----------
    figures : iterable of tuple
        Of each what to call it where it cannot be read, the title that the file is to have, and
        its SVG.

    Raises
    ------
    InputError
        If one of them is no SVG that can be read.
    """
    with temporary_folder() as place:
        converter = _Converter(place)
        for name, title, svg in figures:
            yield converter.convert(name, title, svg, "pdf")


class _Converter:
    """Typst with Matplotlib's fonts, which is slow to start and quick afterwards."""

    def __init__(self, place: Path) -> None:
        import matplotlib as mpl
        import typst

        fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
        self._failed = typst.TypstError
        self._place = place
        self._main = place / "main.typ"
        self._main.write_text("")
        self._compiler = typst.Compiler(str(self._main), root=str(place), font_paths=[str(fonts)])

    def convert(self, name: str, title: str, svg: bytes, kind: Kind) -> bytes:
        """A figure as PDF or PNG."""
        title = " ".join(visible(title).replace("\\", "/").replace('"', "'").split())
        (self._place / "figure.svg").write_bytes(svg)
        self._main.write_text(_PAGE.format(title=title), encoding="utf-8")
        try:
            found = self._compiler.compile(str(self._main), format=kind, ppi=float(DPI))
        except self._failed as error:
            problem = Problem(name, None, None, str(error.message), "an SVG picture")
            raise InputError([problem]) from error
        content = found if isinstance(found, bytes) else (found or [b""])[0]
        return _opaque(content) if kind == "png" else content


def _opaque(png: bytes) -> bytes:
    """A PNG in plain RGB that says its resolution; journals refuse transparency."""
    from PIL import Image

    out = BytesIO()
    with Image.open(BytesIO(png)) as image:
        # The page is white throughout. A stronger compression takes longer than the drawing.
        image.convert("RGB").save(out, format="PNG", dpi=(DPI, DPI), compress_level=3)
    return out.getvalue()
