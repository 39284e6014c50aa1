"""Which model answers: the catalog, the router with its canary, the shadow and how far its masks agree."""
