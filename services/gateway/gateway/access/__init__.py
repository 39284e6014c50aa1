"""Who may ask: API keys, rate limits, host names and origins."""
