"""The master: offers the resources of agents to frameworks."""
