"""Executes container plans on this host: probes, sandboxes, bundles, control groups, processes."""
