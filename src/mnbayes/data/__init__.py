"""The data contract: tables, markers, units and visits, read into a Cohort."""
