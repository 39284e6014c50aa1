"""From a run folder to a published SavedModel."""
