"""What worker processes need, loaded once: they are forked from the process that loads this.

Without it each would spend three seconds of its own on it.
"""

from importlib import import_module

# ArviZ, which nutpie loads, looks through every module loaded so far: nutpie comes first.
for _name in (
    "nutpie",
    "mnbayes.pipeline",
    "mnbayes.plots",
    "mnbayes.historical.fit",
    "mnbayes.published.fit",
    "arviz_stats.base.array",
    "scipy.stats.qmc",
):
    import_module(_name)
