"""Other programs that fit the proteinuria card's model, to compare with."""
