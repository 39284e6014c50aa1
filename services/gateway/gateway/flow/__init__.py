"""When work is done: admission, codec threads, the deadline, disconnects, timings and tracing."""
