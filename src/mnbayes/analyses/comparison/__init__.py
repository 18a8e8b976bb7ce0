"""Runs read back, and what differs between two of them."""
