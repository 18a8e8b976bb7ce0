"""The collapsed engine: effects integrated out and drawn back, the rest by importance sampling."""
