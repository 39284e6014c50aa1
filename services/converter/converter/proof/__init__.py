"""The proof that a converted model answers as its source does: masks of both compared, and the report."""
