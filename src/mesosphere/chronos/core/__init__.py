"""Chronos's decisions: schedules, the dependency graph, runs, matching. Pure."""
