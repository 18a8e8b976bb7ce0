"""Bring files that people have into a cohort's folder; ``docs/import.md`` states every rule."""
