"""Marathon's decisions: apps, instances, deployments, offers, health. Pure."""
