"""The client half of Mesos's scheduler API, shared by Marathon and Chronos."""
