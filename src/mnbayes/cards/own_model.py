"""A model of one's own: a Python file whose ``model(cohort)`` returns a PyMC model.

It takes the place of a card, and has no priors, formulas or structure that the program knows.
"""

from __future__ import annotations

import ast
import hashlib
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np

from mnbayes.base.problems import InputError, Problem, did_you_mean, quoted
from mnbayes.cards.card import Structure
from mnbayes.data.cohort import Cohort
from mnbayes.data.observations import Observations, observations

#: Ending of the files that ``--model`` takes for a model of one's own.
ENDING = ".py"
#: Dims of ``level``, the one variable that such a model must have.
LEVEL_DIMS = ("patient", "visit", "marker")


@dataclass(frozen=True)
class OwnModel:
    """A model that somebody states, beside those of the cards.

    Attributes
    ----------
    name, title : str
        The file's name without its ending, and the first line of its docstring.
    file : str
        Name of the file without its folder; blank where somebody else sampled.
    source : str
        What the file says; blank where somebody else sampled.
    path : Path or None
    """

    name: str
    title: str
    file: str = ""
    source: str = field(default="", repr=False)
    path: Path | None = None

    @property
    def sha256(self) -> str:
        """Hash of the file; blank where there is none."""
        return hashlib.sha256(self.source.encode()).hexdigest() if self.source else ""

    def build(self, cohort: Cohort) -> Any:
        """The PyMC model of a cohort, its ``level`` not yet looked at.

        Raises
        ------
        InputError
            If the file fails, with the line, or gives something else.
        """
        import pymc as pm

        model = _called(self._function(), cohort, self)
        if not isinstance(model, pm.Model):
            found = f"model(cohort) returned {_kind(model)}"
            raise InputError([Problem(self.file, None, None, found, "a pymc.Model")])
        return model

    def _function(self) -> Callable[[Cohort], Any]:
        """The file's ``model``; its module is kept nowhere else and nothing is written beside."""
        spec = spec_from_file_location(f"mnbayes_own_{self.name}", self.path)
        if spec is None:  # no Python file by its ending
            expected = f"a file in {ENDING}"
            raise InputError([Problem("--model", None, None, quoted(self.file), expected)])
        module = module_from_spec(spec)
        _called(lambda _: exec(compile(self.source, str(self.path), "exec"), vars(module)), 0, self)
        function: Callable[[Cohort], Any] | None = getattr(module, "model", None)
        if not callable(function):
            names = [name for name, value in vars(module).items() if callable(value)]
            expected = f"a function model(cohort){did_you_mean('model', names)}"
            found = "none" if function is None else f"model, {_kind(function)}"
            raise InputError([Problem(self.file, None, None, found, expected)])
        return function


def load_own_model(path: str | Path) -> OwnModel:
    """Read the file of a model of one's own; nothing of it runs yet.

    Raises
    ------
    InputError
        If it cannot be read or is no Python, with the line.
    """
    place = Path(path)
    expected = "a Python file with a function model(cohort)"
    try:
        source = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        found = getattr(error, "strerror", None) or "no text in UTF-8"
        raise InputError([Problem(place.name, None, None, found, expected)]) from error
    try:
        said = ast.get_docstring(ast.parse(source, str(place)))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        found = f"{type(error).__name__}: {getattr(error, 'msg', error)}"
        raise InputError([Problem(place.name, line, None, found, expected)]) from error
    title = said.splitlines()[0].rstrip(".") if said else place.stem
    return OwnModel(place.stem, title, place.name, source, place)


def _called[T](function: Callable[[Any], T], argument: Any, own: OwnModel) -> T:
    """Call something of the file; whatever it raises becomes one problem with the line."""
    try:
        return function(argument)
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(own.path)]
        said = str(error).strip().splitlines()
        found = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
        expected = "a file that runs, with a function model(cohort)"
        line = lines[-1] if lines else None
        raise InputError([Problem(own.file, line, None, found, expected)]) from error


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


@dataclass(frozen=True)
class Needs:
    """What a model of one's own asks of a cohort."""

    name: str
    markers: tuple[str, ...]
    structure: Structure = field(default_factory=Structure)


def observed_of(
    own: OwnModel, dims: Iterable[str], labels: Mapping[str, Iterable[Any]], cohort: Cohort
) -> Observations:
    """The cohort as a model's ``level`` is arranged.

    Parameters
    ----------
    own : OwnModel
    dims : iterable of str
        Of ``level``.
    labels : mapping
        Names along them: every patient of the cohort, its weeks (numbers; 0 is baseline), and
        markers by their names in mnbayes, in any order.
    cohort : Cohort

    Raises
    ------
    InputError
        With every dim that is not what the cohort has.
    """
    found = tuple(dims)
    if sorted(found) != sorted(LEVEL_DIMS) or any(name not in labels for name in found):
        problem = _level_problem(
            own,
            f"dims ({', '.join(found)})",
            f"dims ({', '.join(LEVEL_DIMS)}), each with its names as coords",
        )
        raise InputError([problem])
    markers = [str(name) for name in labels["marker"]]
    strange = [name for name in markers if name not in cohort.markers]
    if strange or not markers or len(set(markers)) != len(markers):
        hint = did_you_mean(strange[0], cohort.markers) if strange else ""
        expected = f"different names among {', '.join(cohort.markers)}{hint}"
        raise InputError([_level_problem(own, f"marker {', '.join(markers) or 'none'}", expected)])
    data = observations(Needs(own.name, tuple(markers)), cohort)
    try:
        weeks = [float(week) for week in labels["visit"]]
    except (TypeError, ValueError):
        weeks = [float("nan")]
    patients = [str(patient) for patient in labels["patient"]]
    problems = []
    if sorted(patients) != sorted(data.patients):
        problems.append(_different(own, "patient", patients, data.patients))
    if not np.array_equal(np.sort(weeks), np.array(data.weeks)):
        shown = [f"{week:g}" for week in weeks]
        if np.isnan(weeks).any():
            shown = [str(week) for week in labels["visit"]]
        problems.append(_different(own, "visit", shown, [f"{week:g}" for week in data.weeks]))
    if problems:
        raise InputError(problems)
    return data


def _level_problem(own: OwnModel, found: str, expected: str) -> Problem:
    return Problem(own.file or own.name, None, "level", found, expected)


def _different(own: OwnModel, dim: str, found: Iterable[str], known: Iterable[str]) -> Problem:
    there, wanted = list(found), list(known)
    strange = [name for name in there if name not in wanted]
    missing = [name for name in wanted if name not in there]
    said = [f"no {', '.join(missing)}"] if missing else []
    said += [f"{', '.join(strange)}, which the cohort has not"] if strange else []
    said += [] if said else ["a name twice"]
    expected = f"each {dim} of the cohort once: {', '.join(wanted)}"
    return _level_problem(own, f"{dim}: {'; '.join(said)}", expected)
