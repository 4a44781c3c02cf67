"""What the API shows of Marathon's state: pure reads."""
