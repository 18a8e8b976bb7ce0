"""Influence of each patient: leave one patient out and fit again."""
