"""From a run folder or a third-party network to a published SavedModel."""
