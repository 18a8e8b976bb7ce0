"""What a paper publishes: facts, readings, and the posterior that follows from them."""
