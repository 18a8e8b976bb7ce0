"""What worker processes need, loaded once: they are forked from the process that loads this.

Without it each would spend three seconds of its own on it.
"""

from importlib import import_module

# ArviZ, which nutpie loads, looks through every module loaded so far: nutpie comes first.
_NAMES = (
    "nutpie",
    "mnbayes.pipeline",
    "mnbayes.analyses.historical.fit",
    "mnbayes.analyses.published.fit",
    "arviz_stats.base.array",
    "arviz_plots",
    "scipy.stats.qmc",
)

for _name in _NAMES:
    import_module(_name)
