"""A run as a record, and as a folder."""
