"""Where the cards and the embedded data lie: inside the wheel, or beside ``src/`` in a checkout."""

from __future__ import annotations

from pathlib import Path


def _share() -> Path:
    packaged = Path(__file__).parents[1] / "_share"
    return packaged if packaged.is_dir() else Path(__file__).parents[3]


def models_folder() -> Path:
    """Folder of the model cards."""
    return _share() / "models"


def embedded_cohort_folder() -> Path:
    """Folder of the embedded synthetic cohort."""
    return _share() / "data" / "cohort"


def markers_file() -> Path:
    """The markers that mnbayes knows."""
    return _share() / "data" / "markers.toml"


def import_mapping_file() -> Path:
    """Names that files use for markers, columns and visits."""
    return _share() / "data" / "import_mapping.toml"


def published_facts_file() -> Path:
    """What the trial's abstract publishes."""
    return _share() / "data" / "published.toml"


def calibration_file() -> Path:
    """The stored calibration, which ``scripts/calibration.py`` makes."""
    return _share() / "data" / "calibration.json"
