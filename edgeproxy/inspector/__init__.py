"""The control listener: what the edge did, for people and programs, as JSON."""
