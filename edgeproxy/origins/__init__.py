"""Origins: where bytes come from, how they are asked for, what happens when they do not come."""
