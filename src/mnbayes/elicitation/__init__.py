"""Beliefs in clinical words as prior distributions."""
