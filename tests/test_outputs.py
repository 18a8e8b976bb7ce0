"""Folders of results: whole or not at all, and never over somebody's files."""

import os
import tomllib
from datetime import datetime
from pathlib import Path

import pytest

from mnbayes.base.new_files import write_new
from mnbayes.base.problems import InputError
from mnbayes.base.toml_files import toml_text
from mnbayes.data.imports.writing import place_whole
from mnbayes.run.keeping import claim, new_folder, whole_folder
from mnbayes.run.record import MANIFEST


def earlier_run(folder: Path) -> Path:
    folder.mkdir()
    (folder / MANIFEST).write_text("{}")
    (folder / "old.csv").write_text("old")
    return folder


def test_a_failed_block_leaves_the_earlier_run(tmp_path: Path) -> None:
    folder = earlier_run(tmp_path / "out")

    def write_half() -> None:
        with whole_folder(claim(folder, force=True)) as made:
            (made.path / "half.csv").write_text("half")
            raise RuntimeError("full disk")

    with pytest.raises(RuntimeError, match="full disk"):
        write_half()
    assert (folder / "old.csv").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    with whole_folder(folder) as made:
        (made.path / MANIFEST).write_text("{}")
        assert not folder.exists()
    assert (folder / MANIFEST).exists()


def test_other_files_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years")
    with pytest.raises(InputError, match="holds other files"):
        claim(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        claim(tmp_path / "thesis.docx")
    with pytest.raises(InputError), whole_folder(tmp_path):
        pass
    assert (tmp_path / "thesis.docx").read_text() == "years"


def test_names_of_new_folders_are_never_taken(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5)
    first = new_folder(tmp_path, moment)
    assert first.name == "20260102-030405"
    first.mkdir()
    assert new_folder(tmp_path, moment).name == "20260102-030405-2"


@pytest.mark.skipif(os.name != "posix", reason="no umask")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o755), (0o077, 0o700)])
def test_new_folders_are_as_private_as_the_user_has_them(
    tmp_path: Path, mask: int, mode: int
) -> None:
    before = os.umask(mask)
    try:
        with whole_folder(tmp_path / "run") as made:
            (made.path / MANIFEST).write_text("{}")
        place_whole({"patients.csv": "patient\nP1\n"}, tmp_path / "import")
    finally:
        os.umask(before)
    for name in ("run", "import"):
        assert (tmp_path / name).stat().st_mode & 0o777 == mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["import", "run"]


def test_a_new_file_is_never_written_over_another(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    write_new(path, f"name = {toml_text(TEXT)}")
    assert tomllib.loads(path.read_text(encoding="utf-8")) == {"name": TEXT}
    with pytest.raises(InputError, match="it exists; expected a file that is not there yet"):
        write_new(path, "")
    assert tomllib.loads(path.read_text(encoding="utf-8")) == {"name": TEXT}
    for place, said in ((tmp_path / "none" / "a.toml", "No such"), (path / "a.toml", "Not a")):
        with pytest.raises(InputError, match=f"{said}.*expected a file to write"):
            write_new(place, "")


TEXT = 'a "b" \\ \n\t\x7f ü \x00 °'
