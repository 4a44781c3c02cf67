"""The vocabulary of everybody: effects, events, HTTP values, time, ids, resources. Pure."""
