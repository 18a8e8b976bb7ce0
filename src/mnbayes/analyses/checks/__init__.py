"""Is the model right? Measurements and patients left out, and what new patients would show."""
