"""A Mesos-compatible cluster in a playbook. `docs/architecture.md` is the map of this package."""

__version__ = "0.1.0"

MESOS_VERSION = "1.11.0"
"""What `/version` answers: digits and dots only, clients turn each part into a number."""
