"""Fit models to a cohort and report response probabilities: the same job as ``mnbayes fit``."""

from mnbayes.cli import fit_main

if __name__ == "__main__":
    fit_main()
