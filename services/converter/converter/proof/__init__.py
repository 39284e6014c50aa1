"""The proof that a converted model's masks agree with its source's, and the report."""
