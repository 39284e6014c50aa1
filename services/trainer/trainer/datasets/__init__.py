"""Data sets: the index, splits, validation, near-duplicates, class weights, preview."""
