"""Turns a published SavedModel into another form, proves that its masks agree with the source's, and publishes it."""
