"""Runs code. Moves payload bytes and knows no HTTP message."""
