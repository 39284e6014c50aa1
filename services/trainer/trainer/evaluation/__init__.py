"""How good a network is, over a split of a data set, and a report of it."""
