"""How much of an answer is the prior: refits under other assumptions, and power scaling.

:mod:`mnbayes.analyses.sensitivity.multiverse` refits a model under every combination of prior set,
family of residuals and definition of response; :mod:`mnbayes.analyses.sensitivity.power_scaling`
asks the draws of one fit what would happen if the priors counted a little more or less.
"""
