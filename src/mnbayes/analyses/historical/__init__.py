"""Remission counts of earlier studies: what conventional care of refractory MN leads to expect.

A logit-normal meta-analytic-predictive (MAP) model (Neuenschwander et al. 2010,
doi:10.1177/1740774509356002) of published counts, by kind of treatment. It is fitted to published
numbers alone; no patient of the trial, real or synthetic, is in it.
"""
