"""One request on its way in: middleware, dependencies, uploads, logs."""
