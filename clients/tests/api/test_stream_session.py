"""The messages of a stream, without a gateway."""

import json

from segclient.api.connection import Connection
from segclient.api.stream_session import StreamSession


def test_configure_names_the_form_as_the_protocol_does() -> None:
    """services/gateway/PROTOCOL.md documents ``form``; ``output`` is its former name."""
    connection = Connection.to("http://gateway:8000", api_key="secret", ca=None, timeout_s=30)
    session = StreamSession(connection, {"classes": ["road"]})
    assert json.loads(session.configure()) == {
        "type": "configure",
        "form": "mask",
        "size": "model",
        "classes": ["road"],
        "api_key": "secret",
    }
