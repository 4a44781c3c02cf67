"""From apps to a configuration, and from one configuration to the next. Pure."""
