"""Patients: the flow, and response as counted over both denominators."""
