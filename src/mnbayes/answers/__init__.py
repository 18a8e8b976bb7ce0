"""From a posterior tree to tidy tables: levels, ratios, responses, population."""
