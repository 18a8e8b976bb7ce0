"""Model cards, prior sets, clinical beliefs and definitions of response, read from TOML."""
