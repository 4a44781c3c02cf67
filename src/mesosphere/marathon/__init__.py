"""Marathon: keeps long-running apps running."""
