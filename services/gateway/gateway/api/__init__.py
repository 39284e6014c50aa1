"""The public HTTP contract: parameters, schemas, documented errors and replies."""
