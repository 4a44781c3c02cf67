"""The one exception of reading a task."""


class Unsupported(Exception):
    """The task can't be run by this agent; the message is one sentence."""
