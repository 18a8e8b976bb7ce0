"""Simulation-based calibration: whether the program's posteriors hold the truth as they claim.

Draw a truth from the prior, data from the truth, and a posterior from the data: the truth is then
one more draw from that posterior, and its rank among L draws uniform on 0..L (Talts et al. 2018,
arXiv:1804.06788; with quantities of the data, Modrák et al. 2023, doi:10.1214/23-BA1404).
"""
