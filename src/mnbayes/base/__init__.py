"""What knows nothing of trials: problems, TOML files, processes, Monte Carlo error."""
