"""Compiled and pure-array numerics that know nothing of cards or cohorts."""
