"""What priors say before any fit, and how they differ from the cards'."""
