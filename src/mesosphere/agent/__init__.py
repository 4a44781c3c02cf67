"""The agent: runs tasks in containers that outlive it, and tells the master until it is heard."""
