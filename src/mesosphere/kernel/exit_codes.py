"""Why a daemon ended: one table, documented in docs/operations/exit-codes.md."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every daemon. The service manager starts it again unless it was CLEAN."""

    CLEAN = 0
    """Asked to end."""
    USAGE = 64
    """The command line or a configuration file is wrong; starting again will not help."""
    PORT_TAKEN = 65
    """The address to listen on is in use or may not be bound."""
    STORE_FAILED = 66
    """Durable state could not be read or written."""
    LEADERSHIP_LOST = 67
    """Another candidate leads now, or leadership was given up; a clean process takes its place."""
    SESSION_LOST = 68
    """The coordination session expired while leading."""
    INVARIANT_BROKEN = 70
    """A bug of ours: an invariant does not hold; the log tells the story."""
    WORK_DIR_FAILED = 71
    """The work directory can't be used, or belongs to a running daemon."""
    REFUSED = 72
    """The master refused this agent for good (gone, or on a machine that is down)."""
    FRAMEWORK_REFUSED = 73
    """The master refused this framework for good (its id was removed)."""
    AGENTS_MISSING = 74
    """After a change of leader more agents are missing than the master may give up."""
