"""Keeps HAProxy in step with what Marathon runs: the successor of marathon-lb."""
