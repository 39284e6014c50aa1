"""Who may use the gateway: API keys, rate limits, host names and origins."""
