"""When: admission, codec threads, the deadline, timings and tracing."""
