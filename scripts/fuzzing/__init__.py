"""Parts of ``scripts/fuzz.py``: readers, how their files are damaged, what may come of it."""
