"""Elastic Load Balancing's nouns as frozen values."""
