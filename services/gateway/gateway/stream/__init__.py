"""``WS /stream``: frames in, masks or overlays out, always of the newest frame. The protocol is in PROTOCOL.md."""
