"""Chronos: jobs on a schedule, or after other jobs."""
