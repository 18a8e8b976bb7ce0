"""Bayesian models of tiny single-arm trials.

>>> import mnbayes as mn
>>> fitted = mn.fit("remission", mn.embedded_cohort())
>>> result = mn.summarise(fitted)
>>> result.probabilities
>>> result.plot.trajectories()

Names load their modules when first used, so that the import is quick. ``__init__.pyi`` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
