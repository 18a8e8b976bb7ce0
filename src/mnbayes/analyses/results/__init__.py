"""The main results: change by visit, response of each patient."""
