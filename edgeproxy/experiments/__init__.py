"""A/B experiments at the edge: declared, run with synthetic visitors, judged and reported."""
