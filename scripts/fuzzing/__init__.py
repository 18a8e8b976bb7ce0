"""What ``scripts/fuzz.py`` is made of: readers, how their files are damaged, and what may come of it."""
