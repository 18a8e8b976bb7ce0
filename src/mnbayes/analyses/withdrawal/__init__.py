"""What happens to an answer when the unseen did worse than predicted."""
