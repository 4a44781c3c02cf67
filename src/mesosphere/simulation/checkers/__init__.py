"""Promises of the whole cluster, one per module, checked after every step that may break them.

A checker takes what it looks at from taps of the simulated world; a broken promise raises Violation
with the story.
"""
