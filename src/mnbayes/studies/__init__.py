"""Studies of thousands of replicates, side by side, that survive a kill.

A :class:`~mnbayes.studies.study.Study` says what to repeat, :func:`~mnbayes.studies.run.run_study`
repeats it on this machine or on a Dask cluster, and a ledger in a folder keeps every replicate and
every failure.
"""
