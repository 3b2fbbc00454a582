"""What happened to one request: the one record that every reader reads."""
