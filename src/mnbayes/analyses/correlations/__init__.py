"""Do the changes go together? Correlations between patients' changes of two markers."""
