"""A finished run as journals want it: numbered tables, figures, a methods and a results text."""
