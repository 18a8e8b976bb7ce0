"""Exports: one neutral table in five formats, each read back; figures; methods in words."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import docx
import numpy as np
import pandas as pd
import pytest
import runs
from docx.oxml.ns import qn
from PIL import Image
from runs import BAD, DEFINITIONS, unsampled
from typer.testing import CliRunner

import mnbayes as mn
from mnbayes.analyses.summarise import summarise
from mnbayes.base.csv_files import undone
from mnbayes.base.problems import InputError
from mnbayes.base.text_table import Table
from mnbayes.cards.card import load_card
from mnbayes.cli import app
from mnbayes.data.cohort import Cohort
from mnbayes.exports.catalogue import SYNTHETIC, TABLES, Exhibits, exhibits
from mnbayes.exports.exhibit import Exhibit, cleaned, printable
from mnbayes.exports.exporting import exported, source_of
from mnbayes.exports.findings import results
from mnbayes.exports.references import REFERENCES, bibliography
from mnbayes.exports.source import read_source
from mnbayes.exports.writers import FORMATS, latex, rtf
from mnbayes.inference.fit import Sampling
from mnbayes.run.manifest import manifest, sections_manifest
from mnbayes.run.run import Run

PROTEIN = "urine_protein_24h"
#: Patients' names that mean something to one format or another.
HOSTILE = (
    "<b>MN&amp;1</b>",
    r"50%_\textbf{x}$y$#~^",
    r"{\rtf1 \par}",
    "quote\"d, 'twice'\u2019",
    "=1+1;\u200f\u05d0\u05d1\u202e",
    "\U0001d4d0 Zoë–Łódź ½ ≥ −",
    "[1]--``|>*",
    " spaces ",
)
runner = CliRunner()


def hostile_cohort(cohort: Cohort) -> Cohort:
    """The embedded cohort under other names."""
    names = dict(zip(cohort.patients["patient"], HOSTILE, strict=True))

    def renamed(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(patient=table["patient"].map(names))

    assert cohort.events is not None
    return replace(
        cohort,
        patients=renamed(cohort.patients),
        measurements=renamed(cohort.measurements),
        events=renamed(cohort.events),
        sha256="1" * 64,
    )


def small_run(
    cohort: Cohort,
    models: tuple[str, ...] = ("remission", "urine_protein_conc"),
    only: tuple[str, ...] = ("results", "computation", "decision", "safety"),
    **options: object,
) -> Run:
    """A run of models that nobody sampled."""
    sampling = Sampling(draws=50)
    fits = [
        unsampled(load_card(name), cohort, sampling, **options)  # type: ignore[arg-type]
        for name in models
    ]
    results = tuple(summarise(fit, DEFINITIONS) for fit in fits)
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    described = manifest(cohort, DEFINITIONS, results, "weak", (), moment, {})
    made = runs.with_sections(
        Run(cohort, DEFINITIONS, results, "weak", (), described),
        {"remission": {"arrows": picture()}},
        only=only,
    )
    return replace(made, manifest=described | sections_manifest(made))


def picture() -> bytes:
    """An SVG with text, as Matplotlib writes it here."""
    from matplotlib.figure import Figure

    from mnbayes.report.kit.figures import svg_bytes

    figure = Figure(figsize=(3, 2), layout="constrained")
    figure.subplots().set_title("GMR")
    return svg_bytes(figure)


def answers(kinds: dict[str, float], **columns: object) -> list[dict[str, object]]:
    """Rows of answers at week 12, as ``influence.csv`` and its like have them."""
    rows = []
    for kind, value in kinds.items():
        ratio = kind == "gmr"
        rows.append(
            {
                "model": "remission",
                "kind": kind,
                "patient": "",
                "marker": PROTEIN if ratio else "",
                "week": 12.0,
                "category": "" if ratio else "remission",
                "prior": 1.0 if ratio else 0.2,
                "value": value,
                "lower": 0.4 if ratio else np.nan,
                "upper": 0.8 if ratio else np.nan,
                "mcse": 0.005,
                "reason": "",
                **columns,
            }
        )
    return rows


MAIN = {"gmr": 0.56, "next_patient": 0.33, "population": 0.32, "exceeds": 0.67}


@pytest.fixture(scope="module")
def folder(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored run with hostile names, and the tables of refits that nobody made."""
    place = tmp_path_factory.mktemp("runs") / "one"
    runs.write(small_run(hostile_cohort(cohort)), place)
    left_out = [
        row
        for name, chance in ((HOSTILE[0], 0.68), (HOSTILE[1], 0.95))
        for row in answers(
            MAIN,
            left_out=name,
            value_without=chance,
            lower_without=np.nan,
            upper_without=np.nan,
            mcse_without=0.005,
        )
    ]
    pd.DataFrame(left_out).to_csv(place / "influence.csv", index=False)
    scaled = {"diagnosis": "none", "strongest_prior": ""}
    for end, chance in (("half", 0.70), ("double", 0.65)):
        scaled |= {f"value_{end}": chance, f"mcse_{end}": 0.02, f"khat_{end}": 0.3}
    rows = pd.DataFrame(answers(MAIN, **scaled)).drop(columns=["lower", "upper"])
    rows.to_csv(place / "power_scaling.csv", index=False)
    other = {**MAIN, "exceeds": 0.62}
    pd.DataFrame(
        [
            *answers(MAIN, residual="normal", trajectory="step"),
            *answers(other, residual="student_t", trajectory="step"),
        ]
    ).to_csv(place / "structures.csv", index=False)
    return place


@pytest.fixture(scope="module")
def found(folder: Path) -> Exhibits:
    return exhibits(source_of(folder))


@pytest.fixture(scope="module")
def everything(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run in every format."""
    place = tmp_path_factory.mktemp("exports") / "all"
    return mn.export(folder, list(FORMATS), place, figures="svg,pdf,png")


# The formats, read back


type Read = tuple[str, list[list[str]], list[str]]


def read_docx(content: bytes) -> list[Read]:
    document = docx.Document(io.BytesIO(content))
    read: list[Read] = []
    for block in document.iter_inner_content():
        if hasattr(block, "rows"):
            read[-1][1].extend([cell.text for cell in row.cells] for row in block.rows)
        elif block.style is not None and block.style.name == "Caption":
            read.append((block.text, [], []))
        elif read and read[-1][1]:
            # A section's end is an empty paragraph.
            read[-1][2].extend([block.text] if block.text else [])
    return read


class _Tables(HTMLParser):
    """Captions, cells and the paragraphs below."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[Read] = []
        self.text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.read[-1][1].append([])
        if tag in ("caption", "th", "td", "p"):
            self.text = []

    def handle_data(self, data: str) -> None:
        if self.text is not None:
            self.text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("caption", "th", "td", "p") and self.text is not None:
            text, self.text = "".join(self.text), None
            if tag == "caption":
                self.read.append((text, [], []))
            elif tag == "p":
                self.read[-1][2].append(text)
            else:
                self.read[-1][1][-1].append(text)


def read_html(content: bytes) -> list[Read]:
    parser = _Tables()
    parser.feed(content.decode("utf-8"))
    return parser.read


def unescaped_latex(text: str) -> str:
    back = {value: key for key, value in latex.ESCAPES.items()}
    pattern = "|".join(re.escape(value) for value in sorted(back, key=len, reverse=True))
    return re.sub(pattern, lambda match: back[match.group()], text)


def read_latex(content: bytes) -> list[Read]:
    read: list[Read] = []
    for body in content.decode("utf-8").split(r"\begingroup")[1:]:
        number = int(re.findall(r"\\setcounter{table}{(\d+)}", content.decode())[len(read)]) + 1
        caption = re.search(r"\\caption{(.*)}\\label", body)
        head = re.search(r"\\toprule\n(.*) \\\\\n\\midrule\n\\endfirsthead", body)
        assert caption is not None
        assert head is not None
        rows = body.split("\\endlastfoot\n")[1].split("\\end{longtable}")[0].splitlines()
        lines = [head.group(1), *(row.removesuffix(r" \\") for row in rows)]
        cells = [line.split(" & ") for line in lines]  # an ampersand of a text is escaped
        notes = re.findall(r"\\noindent\\footnotesize (.*)\\par", body)
        read.append(
            (
                f"Table {number}. {unescaped_latex(caption.group(1))}",
                [[unescaped_latex(cell) for cell in row] for row in cells],
                [unescaped_latex(note) for note in notes],
            )
        )
    return read


def unescaped_rtf(text: str) -> str:
    codes: list[str] = []
    for match in re.finditer(r"\\u(-?\d+)\?|\\([\\{}])|([^\\{}])", text):
        code, sign, plain = match.groups()
        codes.append(chr(int(code) % 65536) if code else sign or plain)
    # Two halves of a surrogate are one character.
    return "".join(codes).encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def read_rtf(content: bytes) -> list[Read]:
    text = content.decode("ascii")
    read: list[Read] = []
    for line in text.splitlines():
        if caption := re.match(r"\\pard\\plain\\f0\\fs20\\keepn\\sa80{\\b (.*?)} (.*)\\par$", line):
            read.append((unescaped_rtf(" ".join(caption.groups())), [], []))
        elif line.startswith(r"\trowd"):
            cells = re.findall(r"\\q[lr](?:\\b)? (.*?)(?<!\\)\\cell(?![a-z])", line)
            read[-1][1].append([unescaped_rtf(cell) for cell in cells])
        elif note := re.match(r"\\pard\\plain\\f0\\fs18\\sb40 (.*)\\par$", line):
            read[-1][2].append(unescaped_rtf(note.group(1)))
    return read


READERS: dict[str, Callable[[bytes], list[Read]]] = {
    "docx": read_docx,
    "html": read_html,
    "latex": read_latex,
    "rtf": read_rtf,
}
ENDINGS = {"docx": "docx", "html": "html", "latex": "tex", "rtf": "rtf"}


def as_read(exhibit: Exhibit) -> Read:
    rows = [list(exhibit.table.head), *map(list, exhibit.table.rows)]
    return exhibit.caption, rows, list(exhibit.footnotes)


def breaking(read: list[Read]) -> list[Read]:
    """As read, with a common space before a per cent sign again."""
    kept: list[Read] = json.loads(json.dumps(read).replace(r"\u00a0%", " %"))
    return [(caption, rows, notes) for caption, rows, notes in kept]


HOSTILE_TABLE = Exhibit(
    7,
    "hostile",
    cleaned(
        Table(
            r"100 % <i>{hostile}</i> & \more",
            ("Patient_id", *(f"{name} head" for name in HOSTILE[:3])),
            tuple((name, "1", r"\cell", f"{name}{name}") for name in HOSTILE),
        )
    ),
    HOSTILE,
)


@pytest.mark.parametrize("name", READERS)
def test_hostile_texts_come_back_from_every_format(name: str) -> None:
    (content,) = FORMATS[name]([HOSTILE_TABLE], "T").values()
    assert breaking(READERS[name](content)) == [as_read(HOSTILE_TABLE)]


@pytest.mark.parametrize("name", READERS)
def test_a_runs_tables_come_back_from_every_format(
    name: str, found: Exhibits, everything: Path
) -> None:
    read = READERS[name]((everything / f"tables.{ENDINGS[name]}").read_bytes())
    assert breaking(read) == [as_read(each) for each in found.tables]
    assert "\N{NO-BREAK SPACE}%" in read[2][1][1][2]


def test_csv_comes_back_by_pandas(found: Exhibits, everything: Path) -> None:
    captions = pd.read_csv(everything / "captions.csv").set_index("file")
    for each in found.tables:
        path = everything / f"{each.stem}.csv"
        with path.open(encoding="utf-8-sig", newline="") as file:
            assert next(csv.reader(file)) == list(each.table.head)
        table = pd.read_csv(path, dtype=str, keep_default_na=False).map(undone)
        assert table.to_numpy().tolist() == list(map(list, each.table.rows))
        said = captions.loc[path.name]
        assert said["caption"] == each.caption
        assert SYNTHETIC in said["footnotes"]


def test_rtf_is_ascii_and_repeats_the_head() -> None:
    content = rtf.document([HOSTILE_TABLE], "T").decode("ascii")
    assert content.count(r"\trhdr") == 1
    # Braces that are no text's open and close in pairs, down to the end of the file.
    depth = [0]
    for sign in re.findall(r"(?<!\\)(?:\\\\)*([{}])", content):
        depth.append(depth[-1] + (1 if sign == "{" else -1))
    assert min(depth[1:-1]) == 1
    assert depth[-1] == 0


def test_word_repeats_the_head_and_keeps_rows_whole(found: Exhibits, everything: Path) -> None:
    document = docx.Document(str(everything / "tables.docx"))
    assert len(document.tables) == len(found.tables)
    for table in document.element.body.iter(qn("w:tbl")):
        heads = [row.find(f".//{qn('w:tblHeader')}") is not None for row in table.iter(qn("w:tr"))]
        assert heads == [True, *[False] * (len(heads) - 1)]
    across = [section.page_width > section.page_height for section in document.sections]
    assert across == [each.across for each in found.tables]


def test_control_characters_are_taken_out() -> None:
    assert printable("a\x00b\tc\n\ud800\ufffe") == "a�b c ��"
    assert printable(HOSTILE[4]) == HOSTILE[4]


# What the tables say


def rows_of(found: Exhibits, name: str) -> list[tuple[str, ...]]:
    return next(list(each.table.rows) for each in found.tables if each.name == name)


def test_tables_are_numbered_and_say_that_they_are_synthetic(found: Exhibits) -> None:
    assert [each.number for each in found.tables] == list(range(1, len(found.tables) + 1))
    assert {each.name for each in found.tables} | set(found.absent) == set(TABLES)
    assert set(found.absent) == {"prior_sets", "withdrawal"}
    for each in found.tables:
        assert each.table.caption.startswith("SYNTHETIC")
        assert each.footnotes[0] == SYNTHETIC
        assert all(len(row) == len(each.table.head) for row in each.table.rows)


def test_counts_stand_over_both_denominators(found: Exhibits) -> None:
    rows = {row[:2]: row[2:] for row in rows_of(found, "counts")}
    evaluable, enrolled = rows["Week 12", "Effective"]
    assert evaluable == "5/7 = 71 % (29 % to 96 %)"
    assert enrolled.startswith("5/8 = 62 % (24 % to 91 %)")


def test_numbers_are_those_of_the_files(folder: Path, found: Exhibits) -> None:
    estimates = pd.read_csv(folder / "estimates.csv")
    row = estimates[
        (estimates["model"] == "remission")
        & (estimates["marker"] == PROTEIN)
        & (estimates["week"] == 12)
    ].iloc[0]
    text = f"{row['gmr_median']:.2f} ({row['gmr_lower']:.2f} to {row['gmr_upper']:.2f})"
    assert next(r for r in rows_of(found, "change") if r[1] == "Week 12")[3] == text
    markers = {row[0] for row in rows_of(found, "markers")}
    assert markers == {"Urinary protein concentration"}
    assert [row[0] for row in rows_of(found, "responses")] == list(HOSTILE)
    measured = {row[:2]: row[2:] for row in rows_of(found, "visits")}
    assert measured["24-h urinary protein, g/24h", "Week 12"][0] == "7 of 8"


def test_a_flip_is_marked_where_one_patient_decides(found: Exhibits) -> None:
    every, without, other = rows_of(found, "influence")
    assert every[-1] == "67 %"
    assert without[-1] == "68 %"
    assert other == (HOSTILE[1], "0.95", "95 % †", "95 %", "95 % †")


def test_demographics_come_from_the_cohort_of_the_run(
    folder: Path, found: Exhibits, cohort: Cohort
) -> None:
    names = {"Age, years", "Sex: male / female", "Infusions"}
    assert not names & {row[0] for row in rows_of(found, "patients")}
    made = TABLES["patients"](read_source(folder, hostile_cohort(cohort)))
    assert not isinstance(made, str)
    assert names <= {row[0] for row in made.table.rows}
    with pytest.raises(InputError, match="another sha256"):
        read_source(folder, cohort)


def test_priors_have_their_reason_and_source(found: Exhibits) -> None:
    card = load_card("remission")
    spec = card.prior["change_mean"][PROTEIN]
    row = next(r for r in rows_of(found, "priors") if r[0] == "change_mean")
    assert row[3:] == (spec.formula, spec.why, spec.source)


def refit_folder(place: Path, folder: Path, **changes: object) -> Path:
    """What ``mnbayes sensitivity`` would have written for the run."""
    said = json.loads((folder / "run.json").read_text())
    record = {
        "data": said["data"],
        "definitions": said["definitions"],
        "axes": {"prior_set": ["weak", "sceptical"]},
        "compared_with": {"remission": {"prior_set": "weak"}},
        **changes,
    }
    place.mkdir()
    (place / "sensitivity.json").write_text(json.dumps(record))
    sceptical = {**MAIN, "exceeds": 0.10}
    rows = [
        *answers(MAIN, prior_set="weak", residual="normal", trajectory="step"),
        *answers(sceptical, prior_set="sceptical", residual="normal", trajectory="step"),
    ]
    pd.DataFrame(rows).to_csv(place / "sensitivity.csv", index=False)
    return place


def test_refits_under_other_prior_sets_are_a_table(folder: Path, tmp_path: Path) -> None:
    refits = refit_folder(tmp_path / "sensitivity", folder)
    made = TABLES["prior_sets"](read_source(folder, None, refits))
    assert not isinstance(made, str)
    assert [row[-1] for row in made.table.rows] == ["67 %", "10 % †", "20 ± 3 %", "20 ± 3 %"]
    other = refit_folder(tmp_path / "other", folder, data={"sha256": "2" * 64})
    with pytest.raises(InputError, match="of other data"):
        read_source(folder, None, other)


def test_an_unconverged_model_gives_no_number(cohort: Cohort, tmp_path: Path) -> None:
    place = tmp_path / "run"
    runs.write(small_run(cohort, ("remission",), ("results",), diagnostics=BAD), place)
    made = exported(place, "csv", tmp_path / "out")
    assert not made.converged
    names = {each.name for each in made.tables.tables}
    assert names == {"patients", "visits", "counts", "priors"}
    assert "3 divergent transitions" in made.tables.absent["change"]
    text = (tmp_path / "out" / "methods.md").read_text().split("# Results")[1]
    assert "none of its numbers is reported" in text
    assert "share of such patients with remission is" not in text
    assert runner.invoke(app, ["export", str(place), "--out", str(tmp_path / "b")]).exit_code == 1


def test_a_fit_that_is_shown_all_the_same_is_marked(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "run"
    shutil.copytree(folder, place)
    said = json.loads((place / "run.json").read_text())
    said["models"]["remission"]["diagnostics"]["reasons"] = ["R-hat 1.5 is not below 1.01"]
    (place / "run.json").write_text(json.dumps(said))
    source = source_of(place)
    marked = {
        each.name
        for each in exhibits(source).tables
        if any("NOT CONVERGED" in note for note in each.footnotes)
    }
    assert {"change", "responses", "population", "influence", "prior_sensitivity"} <= marked
    assert not {"patients", "visits", "counts", "safety", "priors", "markers"} & marked
    assert "NOT CONVERGED" in results(source, {})


def test_a_damaged_table_is_one_message(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "run"
    shutil.copytree(folder, place)
    (place / "influence.csv").write_text("model,week\nremission,12\n")
    with pytest.raises(InputError, match=r"run/influence.csv, row 1.*no kind, marker"):
        exhibits(source_of(place))


# Texts, figures, folders


def test_methods_say_how_and_results_say_what(
    folder: Path, found: Exhibits, everything: Path
) -> None:
    text = (everything / "methods.md").read_text()
    assert SYNTHETIC in text
    said = text.split("# Results")
    for needed in ("50 draws", "seed 1", "R-hat 1.001", "estimand", "missing at random", "Normal("):
        assert needed in said[0]
    for package, number in json.loads((folder / "run.json").read_text())["versions"].items():
        assert f"{package} {number}" in said[0]
    found_said = said[1]
    assert "5 of 7" not in found_said  # the primary response is remission
    assert "4 of 7 evaluable (57 %, exact 95 % interval 18 % to 90 %)" in found_said
    assert "Under treatment" in found_said
    assert "effect of" not in text
    cited = set(re.findall(r"@([a-z0-9]+)\]", text))
    assert {"kruschke2021", "sung2005", "iche9r1", "pymc2023", "arviz2019", "nutpie"} <= cited
    entries = re.findall(r"^@\w+\{(\w+),", (everything / "references.bib").read_text(), re.M)
    assert set(entries) == cited
    numbers = {int(n) for n in re.findall(r"\(Table (\d+)", text)}
    assert numbers <= {each.number for each in found.tables}


def test_references_are_whole() -> None:
    text = bibliography(REFERENCES, {"nutpie": "0.16", "mnbayes": "1"})
    assert text.count("{") == text.count("}")
    assert "VERSION" not in text
    for entry in text.split("\n\n"):
        assert {"author", "title"} <= set(re.findall(r"^  (\w+) = ", entry, re.M))


def test_figures_are_vectors_and_300_dots_an_inch(folder: Path, everything: Path) -> None:
    place = everything / "figures"
    stored = (folder / "plots" / "remission_arrows.svg").read_bytes()
    assert (place / "remission_arrows.svg").read_bytes() == stored
    pdf = (place / "remission_arrows.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"DejaVuSans" in pdf
    assert b"/Subtype/Image" not in pdf
    size = re.search(rb'width="([\d.]+)pt" height="([\d.]+)pt"', stored)
    box = re.search(rb"/MediaBox\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert size is not None
    assert box is not None
    points = [float(each) for each in size.groups()]
    assert [float(each) for each in box.groups()] == pytest.approx(points, abs=0.1)
    with Image.open(place / "remission_arrows.png") as image:
        assert image.size == pytest.approx([point * 300 / 72 for point in points], abs=1)
        assert image.mode == "RGB"
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_one_table_by_number_or_name(folder: Path, found: Exhibits, tmp_path: Path) -> None:
    made = mn.export(folder, "rtf", tmp_path / "out", table=3)
    read = read_rtf((made / "table-3-counts.rtf").read_bytes())
    assert breaking(read) == [as_read(found.tables[2])]
    assert found.chosen(["counts", "3", "1"]) == (found.tables[0], found.tables[2])
    with pytest.raises(InputError, match="1 patients, 2 visits"):
        found.chosen(["99"])
    with pytest.raises(InputError, match="withdrawal, which this run lacks: nobody withdrew"):
        found.chosen(["withdrawal"])


def test_nothing_of_a_users_is_replaced(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "methods.md").write_text("edited for a week")
    told = ["export", str(folder), "--out", str(tmp_path)]
    result = runner.invoke(app, told)
    assert result.exit_code == 2
    assert "not empty" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["methods.md"]
    assert (tmp_path / "methods.md").read_text() == "edited for a week"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--to", "word"), "one of docx, latex, rtf, html, csv"),
        (("--figures", "jpg"), "one of svg, pdf, png"),
        (("--sensitivity", "nowhere"), "the folder of mnbayes sensitivity"),
    ],
)
def test_bad_choices_are_one_message(
    folder: Path, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    place = tmp_path / "out"
    result = runner.invoke(app, ["export", str(folder), *options, "--out", str(place)])
    assert result.exit_code == 2
    assert words in result.stderr
    assert not place.exists()


def test_the_list_writes_nothing(folder: Path, found: Exhibits, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = runner.invoke(app, ["export", str(folder), "--list"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == len(TABLES)
    assert " 3 counts: " in result.stdout
    assert not list(tmp_path.iterdir())


def test_what_a_run_lacks_is_said(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "run"
    shutil.copytree(folder, place)
    shutil.rmtree(place / "posterior")
    (place / "safety.csv").unlink()
    made = exported(place, "csv", tmp_path / "out")
    assert {"patients", "visits", "safety"} <= set(made.tables.absent)
    assert made.tables.tables[0].caption.startswith("Table 1. ")
    with pytest.raises(InputError, match="no such folder"):
        mn.export(tmp_path / "nowhere", out=tmp_path / "b")


def test_the_primary_model_is_the_one_that_the_run_recorded(folder: Path) -> None:
    source = read_source(folder)
    assert source.primary == "remission"  # not recorded: it judges most categories
    said = {"sections": {"estimand": {"primary_model": "urine_protein_conc"}}}
    told = replace(source.run, manifest=source.run.manifest | said)
    assert replace(source, run=told).primary == "urine_protein_conc"


def test_a_run_records_the_model_that_its_report_calls_primary(cohort: Cohort) -> None:
    run = small_run(cohort, only=("estimand",))
    assert run.manifest["sections"]["estimand"]["primary_model"] == "remission"
    assert "by the model <code>remission</code>" in runs.render_pages(run)["report.html"]
