"""Compiling, sampling and checking."""
