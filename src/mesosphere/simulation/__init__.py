"""A whole cluster in one thread: production machines, a simulated world, one seed."""
