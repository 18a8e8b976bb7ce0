"""Data and provenance: every measurement, hashes, versions, limitations."""
