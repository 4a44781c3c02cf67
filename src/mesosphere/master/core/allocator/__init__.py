"""Who is offered what: pure, by dominant resource fairness."""
