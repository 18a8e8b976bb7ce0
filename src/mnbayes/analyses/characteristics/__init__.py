"""Operating characteristics: how often the decision rule errs. Built on the design analysis.

Cohorts are simulated from scenarios that do not share the model's assumptions, fitted by the
collapsed engine, and judged; beside the rule stand a paired test and a count of responders.
"""
