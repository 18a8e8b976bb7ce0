"""Pictures kept from run to run: used while nothing changed, drawn again when anything did."""

from __future__ import annotations

from pathlib import Path

import pytest

from mnbayes.base import picture_cache as kept
from mnbayes.base.picture_cache import kept_pictures


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kept, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    return tmp_path / "cache"


def test_pictures_are_drawn_once_for_the_same_numbers() -> None:
    drawn = []

    def draw() -> dict[str, bytes]:
        drawn.append(1)
        return {"b": b"two", "a": b"one"}

    first = kept_pictures("x", ["numbers"], draw)
    assert list(kept_pictures("x", ["numbers"], draw).items()) == list(first.items())
    assert len(drawn) == 1
    kept_pictures("x", ["other numbers"], draw)
    assert len(drawn) == 2


def test_a_damaged_or_forbidden_cache_costs_nothing_but_time(folder: Path) -> None:
    folder.mkdir()
    kept_pictures("x", ["numbers"], lambda: {"a": b"one"})
    (file,) = folder.iterdir()
    file.write_bytes(b"no archive")
    assert kept_pictures("x", ["numbers"], lambda: {"a": b"again"}) == {"a": b"again"}
    assert kept_pictures("x", ["numbers"], lambda: {}) == {"a": b"again"}
    file.unlink()
    folder.rmdir()
    folder.write_text("a file where the folder should be")
    assert kept_pictures("x", ["numbers"], lambda: {"a": b"one"}) == {"a": b"one"}
