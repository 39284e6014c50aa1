"""Which model answers: the catalog, targets, the canary, the shadow and how far its masks agree."""
