"""Simulated cohorts, and what the models make of them."""
