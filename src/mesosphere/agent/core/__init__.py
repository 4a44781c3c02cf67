"""The pure core of the agent."""
