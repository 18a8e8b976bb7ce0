"""Page 1: the main answers in plain words, how much of each is the prior, what overturns it."""
