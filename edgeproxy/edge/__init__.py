"""One edge location: the order of events between a viewer and an origin."""
