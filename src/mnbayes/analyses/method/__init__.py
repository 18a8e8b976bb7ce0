"""What is estimated, by which model, under which priors, and how it was computed."""
