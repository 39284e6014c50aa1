"""From a model to one frozen function: graph, folded batch normalisation, FLOPs, latency."""
