"""Compiled functions: the same numbers from the disk as when compiled, and small matrices."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numba as nb
import numpy as np
import pytest

from mnbayes.numerics import posterior
from mnbayes.numerics.compiling import c_function, compiled
from mnbayes.numerics.small_matrices import fill_inverse, fill_root

GRADIENTS = """
import numba as nb
import numpy as np
from mnbayes.cards.card import load_card
from mnbayes.data.cohort import load_cohort
from mnbayes.models.density import longitudinal_density
from mnbayes.data.observations import observations
from mnbayes.numerics.posterior import evaluate, gradient_function
from mnbayes.data.embedded import embedded_cohort

card = load_card("remission")
density = longitudinal_density(card, observations(card, embedded_cohort()))
for point in np.random.default_rng(1).standard_normal((200, density.dimension)):
    value, gradient = evaluate(point, density.data, gradient_function())
    print(value.hex(), *(number.hex() for number in gradient.tolist()))
"""


def test_functions_from_the_disk_give_the_numbers_of_those_just_compiled(tmp_path: Path) -> None:
    # NUTS takes another way after one rounding, so a first fit and its repetition would differ.
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", GRADIENTS]
    printed = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert len(printed[0].splitlines()) == 200
    assert list(tmp_path.rglob("*.nbc"))
    assert printed[0] == printed[1]


@pytest.mark.parametrize("name", ["gradient_function", "value_function"])
def test_one_process_at_a_time_compiles(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl", reason="Windows locks no folder")

    def compiling(_: str) -> str:
        another = os.open(tmp_path, os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(another)
        return "compiled"

    monkeypatch.setattr(nb.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(posterior, f"_{name}", compiling)
    assert getattr(posterior, name).__wrapped__() == "compiled"


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 13])
def test_factor_and_inverse_are_those_of_lapack(n: int) -> None:
    rng = np.random.default_rng(n)
    root = rng.standard_normal((n, n + 2))
    matrix, factor, columns, inverse = np.full((4, n + 1, n + 1), np.nan)
    lower = np.tril_indices(n)  # what is above the diagonal is neither read nor written
    matrix[lower] = (root @ root.T)[lower]
    logdet = fill_root(matrix, factor, n)
    fill_inverse(factor, columns, inverse, n)
    assert logdet == pytest.approx(np.linalg.slogdet(root @ root.T)[1])
    expected = np.linalg.cholesky(root @ root.T)
    np.testing.assert_allclose(factor[lower], expected[lower], rtol=1e-9)
    assert np.isnan(factor[np.triu_indices(n + 1, 1)]).all()
    np.testing.assert_allclose(inverse[:n, :n], np.linalg.inv(root @ root.T), rtol=1e-7)
    assert np.isnan(factor[n]).all()
    assert np.isnan(inverse[n]).all()


def test_log_determinant_of_a_matrix_that_is_not_positive_definite_is_missing() -> None:
    matrix = np.array([[1.0, 2.0], [2.0, 1.0]])
    assert np.isnan(fill_root(matrix, np.empty((2, 2)), 2))


def twice(number: float) -> float:
    return 2.0 * number


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Numba keeps in what it compiles in this test."""
    monkeypatch.setattr(nb.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("kept", [0, 10, -1])
def test_a_half_written_cache_costs_a_compilation(cache: Path, ending: str, kept: int) -> None:
    compiled(twice)(1.0)
    (file,) = cache.rglob(f"*.{ending}")
    whole = file.read_bytes()
    file.write_bytes(whole[:kept])
    function = compiled(twice)
    assert function(2.0) == 4.0
    assert not function.stats.cache_hits
    again = compiled(twice)
    assert again(3.0) == 6.0
    assert again.stats.cache_hits


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_a_half_written_cache_of_a_c_function_is_begun_anew(cache: Path, ending: str) -> None:
    signature = nb.types.double(nb.types.double)
    c_function(signature)(twice)
    (file,) = cache.rglob(f"*.{ending}")
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    for _ in range(2):  # compiled, and again to be kept
        assert c_function(signature)(twice).ctypes(2.0) == 4.0
    assert c_function(signature)(twice).cache_hits == 1


def test_a_full_disk_keeps_nothing_and_stops_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = compiled(twice)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    assert function(2.0) == 4.0
    assert not list(cache.rglob("*.nb?"))


def test_where_no_cache_can_be_written_the_process_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nb.config, "CACHE_DIR", str(tmp_path / "file" / "below"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "file").touch()
    made = tempfile.TemporaryFile
    writable: list[object] = []

    def refused(*given: object, **named: object) -> object:
        # As Numba finds out whether it can write beside the source and in the user's folder.
        if not str(named.get("dir")).startswith(str(tmp_path / "mnbayes-")):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        writable.append(named["dir"])
        return made(*given, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    assert compiled(twice)(2.0) == 4.0
    assert writable
    assert list(Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.nbc"))
