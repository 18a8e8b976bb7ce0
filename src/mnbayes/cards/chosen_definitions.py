"""Which definitions of response a cohort is judged by, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnbayes.base.resources import embedded_cohort_folder
from mnbayes.cards.definitions import EMBEDDED, Definitions, load_definitions
from mnbayes.data.cohort import Cohort

#: Tried in this order where nobody says which. Definitions of another disease never are.
DEFAULTS = ("kdigo_mn_protein", "kdigo_mn_ratio")
#: Where a cohort has the markers of none of these.
PLAIN = "fall_by_half"


@dataclass(frozen=True)
class ChosenDefinitions:
    """Definitions of response as they apply to a cohort, and why these.

    Attributes
    ----------
    definitions : Definitions
        In the units that the cohort's values were reported in.
    why : str
        A sentence.
    """

    definitions: Definitions
    why: str


def choose_definitions(
    cohort: Cohort,
    asked: Definitions | Path | str | None = None,
    markers: Sequence[str] = (),
) -> ChosenDefinitions:
    """The definitions that a cohort's responses are judged by.

    Parameters
    ----------
    cohort : Cohort
    asked : Definitions, Path or str, optional
        What the user wants: definitions, a shipped name or a file. Default: the trial's own
        (``trial.toml``), those of the embedded trial for its cohort, else the first of
        :data:`DEFAULTS` whose markers the cohort has, else :data:`PLAIN`.
    markers : sequence of str
        Of the first model: its first one is the primary marker, where neither the trial nor
        definitions say another.

    Raises
    ------
    InputError
        If they cannot be read, or ask for a marker or a unit that does not exist.
    """
    folder = Path(cohort.source)
    if isinstance(asked, Definitions):
        found, why = asked, "asked for"
    elif asked is not None:
        found, why = load_definitions(asked), "asked for"
    elif cohort.trial.definitions:
        found, why = load_definitions(cohort.trial.definitions, folder), "named in trial.toml"
    elif _embedded(folder):
        found, why = load_definitions(EMBEDDED), "the cohort is the embedded one"
    else:
        found, why = _by_markers(cohort)
    first = cohort.trial.primary_marker or next(iter(markers), "")
    chosen = found.for_cohort(cohort, first)
    return ChosenDefinitions(chosen, f"Responses are judged by {found.name}: {why}.")


def definitions_of(
    cohort: Cohort | None, asked: Definitions | None = None, markers: Sequence[str] = ()
) -> Definitions:
    """As :func:`choose_definitions`; those of the embedded trial where there is no cohort."""
    if cohort is None:
        return load_definitions() if asked is None else asked
    return choose_definitions(cohort, asked, markers).definitions


def _embedded(folder: Path) -> bool:
    return folder.resolve() == embedded_cohort_folder().resolve()


def _by_markers(cohort: Cohort) -> tuple[Definitions, str]:
    for name in DEFAULTS:
        found = load_definitions(name)
        if set(found.required) <= set(cohort.markers):
            return found, f"the first that needs only what was measured ({_listed(found)})"
    needed = "; ".join(f"{name} needs {_listed(load_definitions(name))}" for name in DEFAULTS)
    return load_definitions(PLAIN), f"no guideline's definitions fit what was measured ({needed})"


def _listed(definitions: Definitions) -> str:
    return " and ".join(definitions.required)
