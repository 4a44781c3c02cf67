"""What clients read of a master: legacy JSON, the v1 operator's answers, metrics. Pure."""
