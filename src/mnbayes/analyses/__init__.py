"""One folder an analysis: what it computes, its section, figure and template."""
