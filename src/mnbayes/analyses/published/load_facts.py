"""Reading the facts of a paper from TOML, and refusing those that contradict each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mnbayes.analyses.published.contradictions import contradictions
from mnbayes.analyses.published.facts import Facts
from mnbayes.base.problems import InputError
from mnbayes.base.resources import published_facts_file
from mnbayes.base.toml_files import read_toml, validation_problems


def parse_facts(data: dict[str, Any], file: str) -> Facts:
    """Validate a facts file's dictionary.

    Parameters
    ----------
    data : dict
    file : str
        For messages.

    Raises
    ------
    InputError
        Everything that is misspelt, missing or of the wrong kind, and, once nothing is, every
        contradiction of the facts among themselves, in words.
    """
    try:
        facts = Facts.model_validate(data)
    except ValidationError as error:
        raise InputError(validation_problems(error, file, Facts)) from error
    problems = contradictions(facts, file)
    if problems:
        raise InputError(problems)
    return facts


def load_facts(path: str | Path | None = None) -> Facts:
    """Load a paper's facts.

    Parameters
    ----------
    path : str or Path, optional
        A TOML file; default: the facts of the trial's abstract.

    Raises
    ------
    InputError
        If the file cannot be read, has not the form of facts or contradicts itself.
    """
    place = published_facts_file() if path is None else Path(path)
    return parse_facts(read_toml(place), place.name)
