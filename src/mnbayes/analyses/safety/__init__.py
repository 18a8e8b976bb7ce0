"""Adverse events: few or none, exact limits beside a beta posterior."""
