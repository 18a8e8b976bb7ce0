"""Builders of PyMC models from a card and a cohort."""
