"""Regression to the mean: how large a fall nothing at all would bring."""
