"""Numbers printed in a paper as interval-censored data; no patient is in them."""
