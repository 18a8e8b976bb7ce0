"""The embedded synthetic cohort, and how it is told from a cohort of one's own."""

from __future__ import annotations

import hashlib

from mnbayes.base.resources import embedded_cohort_folder
from mnbayes.data.cohort import Cohort, load_cohort


def embedded_cohort() -> Cohort:
    """The synthetic cohort that mnbayes brings: eight patients, none of them real."""
    return load_cohort(embedded_cohort_folder())


def is_embedded(cohort: Cohort) -> bool:
    """Whether these are the synthetic tables that mnbayes brings.

    Only then do the preprint's published rates belong beside the counted ones.
    """
    names = ("patients", "measurements", "events")
    tables = [embedded_cohort_folder() / f"{name}.csv" for name in names]
    if not all(table.is_file() for table in tables):
        return False
    content = b"".join(table.read_bytes() for table in tables)
    return cohort.synthetic and hashlib.sha256(content).hexdigest() == cohort.sha256
