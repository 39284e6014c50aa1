"""One request on its way in: its context, middleware, dependencies, uploads, error replies, logs."""
