"""The master's decisions. Pure."""
