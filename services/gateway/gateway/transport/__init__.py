"""How bytes arrive and leave: uvicorn's server and protocols, adapted, and certificates for HTTPS."""
