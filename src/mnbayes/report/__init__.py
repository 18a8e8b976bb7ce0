"""The report of a run: one self-contained HTML page, made by :mod:`mnbayes.report.render`.

The templates hold the words, the modules here the numbers; nothing is computed in a template.
"""
