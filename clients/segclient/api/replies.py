"""Parses the gateway's HTTP replies. Pure functions."""

import datetime
import json
import ssl
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from segclient import png
from segclient.api.results import ClassInfo, Models, Reply, Segmentation, Timings
from segclient.errors import BadReply, GatewayError, SegclientError, Unreachable

# Keyword of the mask PNG's text chunk with the classes.
_CLASSES_KEYWORD = "segstack-classes"
# A proxy's statuses for an unreachable gateway behind it.
_PROXY_UNREACHABLE = frozenset({502, 503, 504})


def read(response: httpx.Response, round_trip_s: float) -> Reply:
    """A segmentation, still encoded.

    Raises:
        BadReply: a header that every segmentation has is missing.
    """
    try:
        model, version = response.headers["X-Model-Name"], int(response.headers["X-Model-Version"])
        timings = _timings(response.headers["Server-Timing"], round_trip_s)
        media_type = response.headers["Content-Type"].partition(";")[0]
    except (KeyError, ValueError):
        raise BadReply(f"{response.url} answered, but not with a segmentation; is it a gateway?") from None
    return Reply(response.content, media_type, model, version, timings, response.headers.get("X-Request-Id", ""))


def segmentation(reply: Reply) -> Segmentation:
    """Decode the reply to ``form=mask``.

    Raises:
        BadReply: it is not an indexed PNG, or lacks its classes.
    """
    mask, text = png.read_indexed(reply.body)
    try:
        description = json.loads(text[_CLASSES_KEYWORD])
        classes = tuple(ClassInfo.of(fields) for fields in description["classes"])
        return Segmentation(mask, classes, int(description["ignore_id"]), reply.model, reply.version, reply.timings)
    except (KeyError, TypeError, ValueError):
        raise BadReply("the mask's PNG lacks its classes; is the gateway an incompatible version?") from None


def models(response: httpx.Response) -> Models:
    """The reply to ``GET /models``.

    Raises:
        BadReply: it is not a list of models.
    """
    try:
        body = response.json()
        return Models(tuple(map(str, body["models"])), body["default"])
    except (KeyError, TypeError, ValueError):
        raise BadReply(f"{response.url} answered, but not with a list of models; is it a gateway?") from None


def error(response: httpx.Response) -> SegclientError:
    """The error for a reply that is not 2xx."""
    retry_after_s = _retry_after_s(response.headers.get("Retry-After"))
    try:
        body = response.json()["error"]
        return GatewayError(
            str(body["message"]),
            status=response.status_code,
            code=str(body["code"]),
            detail=dict(body["detail"]),
            request_id=response.headers.get("X-Request-Id", ""),
            retry_after_s=retry_after_s,
        )
    except (ValueError, KeyError, TypeError):
        pass
    if response.is_redirect:
        return BadReply(f"{response.url} redirects to {response.headers.get('Location')}; use that address instead")
    return BadReply(
        f"{response.url} answered {response.status_code} {response.reason_phrase}, but not as a gateway does; "
        "check that address, and any proxy in front of it",
        transient=response.status_code in _PROXY_UNREACHABLE,
        retry_after_s=retry_after_s,
    )


def unreachable(failure: Exception, url: object, timeout_s: float) -> Unreachable:
    """The error for a request without an answer."""
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unreachable(
                f"{url}: its certificate is not trusted ({cause.verify_message}); pass the certificate authority's "
                "file with --ca or ca=: the ca.pem that `segstack gateway cert` wrote on the gateway's machine",
                transient=False,
            )
        if isinstance(cause, ssl.SSLError):
            return Unreachable(f"{url}: the server does not speak TLS ({cause.reason}); try http://", transient=False)
        cause = cause.__cause__ or cause.__context__
    if isinstance(failure, httpx.ConnectError | httpx.ConnectTimeout | ConnectionRefusedError):
        return Unreachable(
            f"no gateway answers at {url} ({failure}); start `make serve` and `make gateway` on its machine, "
            "or pass the right URL with --url or url="
        )
    if isinstance(failure, httpx.TimeoutException | TimeoutError):
        return Unreachable(f"{url} did not answer within {timeout_s:g} s")
    return Unreachable(f"{url}: the connection was lost ({failure or type(failure).__name__})")


def _timings(server_timing: str, round_trip_s: float) -> Timings:
    stages = dict(part.strip().split(";dur=") for part in server_timing.split(","))
    milliseconds = {f"{stage}_ms": float(stages[stage]) for stage in ("decode", "queue", "infer", "encode")}
    return Timings(**milliseconds, round_trip_ms=1000 * round_trip_s)


def _retry_after_s(value: Any) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date (RFC 9110)."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (until - datetime.datetime.now(datetime.UTC)).total_seconds())
