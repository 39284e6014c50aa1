"""``python -m gateway.healthcheck``: whether the gateway on this machine answers; the container's health check."""

import http.client
import os
import ssl
import sys

_TIMEOUT_S = 3


def main() -> int:
    """Request ``/livez``: exit status 0, or 1 with the reason on standard output, which Docker stores."""
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
    # http.client ignores HTTP_PROXY, which Docker may be configured to pass on to containers.
    if not os.environ.get("GATEWAY_TLS_CERTIFICATE"):
        return http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    # The certificate is for the names that clients use, not for 127.0.0.1.
    context = ssl._create_unverified_context()  # noqa: S323
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=_TIMEOUT_S, context=context)


if __name__ == "__main__":
    sys.exit(main())
