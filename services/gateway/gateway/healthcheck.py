"""``python -m gateway.healthcheck``: whether the gateway beside it answers, by its own settings; the image's check."""

import http.client
import os
import ssl
import sys

_PATIENCE_SECONDS = 3


def main() -> int:
    """Ask ``/livez``: exit status 0, or 1 with the reason on standard output, which Docker keeps."""
    port = int(os.environ.get("GATEWAY_PORT") or 8000)
    try:
        connection = _connection(port)
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"port {port}: {error}")
        return 1
    print(f"/livez: {status}")
    return 0 if status == http.HTTPStatus.OK else 1


def _connection(port: int) -> http.client.HTTPConnection:
    # http.client knows nothing of HTTP_PROXY, which Docker passes on to containers where it is configured to.
    if not os.environ.get("GATEWAY_TLS_CERTIFICATE"):
        return http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
    # The certificate's names are those that others use.
    context = ssl._create_unverified_context()  # noqa: S323
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS, context=context)


if __name__ == "__main__":
    sys.exit(main())
