"""From a trained network, wherever it is, to masks."""
