"""``WS /stream``: frames in, masks or overlays out, always of the newest frame. PROTOCOL.md describes the protocol."""
