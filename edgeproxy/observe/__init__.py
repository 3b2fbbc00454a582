"""Readers of exchanges. The engine knows none of them."""
