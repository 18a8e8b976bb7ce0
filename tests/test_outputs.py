"""Folders of results: whole or not at all, and never over somebody's files."""

from datetime import datetime
from pathlib import Path

import pytest

from mnbayes.base.problems import InputError
from mnbayes.run.outputs import MANIFEST, check_replaceable, new_folder, whole_folder


def earlier_run(folder: Path) -> Path:
    folder.mkdir()
    (folder / MANIFEST).write_text("{}")
    (folder / "old.csv").write_text("old")
    return folder


def test_a_finished_block_replaces_the_earlier_run(tmp_path: Path) -> None:
    folder = earlier_run(tmp_path / "out")
    with whole_folder(folder) as place:
        (place / MANIFEST).write_text("{}")
        assert (folder / "old.csv").exists()
    assert sorted(p.name for p in folder.iterdir()) == [MANIFEST]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_failed_block_leaves_the_earlier_run(tmp_path: Path) -> None:
    folder = earlier_run(tmp_path / "out")

    def write_half() -> None:
        with whole_folder(folder) as place:
            (place / "half.csv").write_text("half")
            raise RuntimeError("full disk")

    with pytest.raises(RuntimeError, match="full disk"):
        write_half()
    assert (folder / "old.csv").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    with whole_folder(folder) as place:
        (place / MANIFEST).write_text("{}")
        assert not folder.exists()
    assert (folder / MANIFEST).exists()


def test_other_files_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years")
    with pytest.raises(InputError, match="holds other files"):
        check_replaceable(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        check_replaceable(tmp_path / "thesis.docx")
    with pytest.raises(InputError), whole_folder(tmp_path):
        pass
    assert (tmp_path / "thesis.docx").read_text() == "years"


def test_names_of_new_folders_are_never_taken(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5)
    first = new_folder(tmp_path, moment)
    assert first.name == "20260102-030405"
    first.mkdir()
    assert new_folder(tmp_path, moment).name == "20260102-030405-2"
