"""API keys: a file of names and hashes; the keys themselves are shown once, when they are made.

A key is 256 random bits. Nobody can try that many, so a plain SHA-256 in the file does not reveal it; the slow,
salted hashes that passwords need would cost every request 100 ms.
"""

import hashlib
import hmac
import logging
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)

# A fixed prefix lets secret scanners find a key that was committed or logged by mistake.
_PREFIX = "segstack_"

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,64}):(?P<digest>[0-9a-f]{64})(?::(?P<rate>\d+(?:\.\d+)?))?")


class ApiKeysError(ValueError):
    """A keys file that cannot be used; the message is one sentence naming file and line."""


@dataclass(frozen=True)
class ApiKey:
    """The owner of a key.

    Attributes:
        name: for logs and limits.
        digest: SHA-256 of the key.
        requests_per_s: the key's rate; None: the settings' rate.
    """

    name: str
    digest: bytes
    requests_per_s: float | None = None


def new_key() -> str:
    """A new random key."""
    return _PREFIX + secrets.token_urlsafe(32)


def digest_of(key: str) -> bytes:
    """The SHA-256 of ``key`` that the file holds."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()  # a key in JSON may hold lone surrogates


def line_of(name: str, key: str) -> str:
    """The keys file's line for ``key``.

    Raises:
        ApiKeysError: the name is too long or has characters that a line cannot hold.
    """
    line = f"{name}:{digest_of(key).hex()}"
    if not _LINE.fullmatch(line):
        raise ApiKeysError(f"the name {name!r} is not valid; use 1 to 64 letters, digits, dots, dashes or underscores")
    return line


def read_api_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys of a file of ``name:sha256hex[:requests per second]`` lines; empty lines and ``#`` comments are skipped.

    Raises:
        ApiKeysError: it cannot be read, a line is not valid, or a name or key occurs twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ApiKeysError(f"the API keys file {path} cannot be read: {error}") from None
    found: list[ApiKey] = []
    for number, line in enumerate((line.strip() for line in lines), start=1):
        if not line or line.startswith("#"):
            continue
        # Nothing of the line is quoted: it may be a key that someone pasted in place of its hash.
        match = _LINE.fullmatch(line)
        if match is None or (match["rate"] is not None and float(match["rate"]) == 0):
            raise ApiKeysError(
                f"{path}, line {number}: expected name:sha256hex or name:sha256hex:requests_per_second; "
                "`segstack gateway new-key NAME` prints such a line"
            )
        key = ApiKey(match["name"], bytes.fromhex(match["digest"]), float(match["rate"]) if match["rate"] else None)
        if any(key.name == other.name or key.digest == other.digest for other in found):
            raise ApiKeysError(
                f"{path}, line {number}: an earlier line has the same name or key; delete one of the two"
            )
        found.append(key)
    return tuple(found)


class KeyRing:
    """The keys of a file. A line that is added or removed takes effect with the next request, without a restart."""

    def __init__(self, path: Path) -> None:
        """Read ``path``.

        Raises:
            ApiKeysError: it cannot be used.
        """
        self._path = path
        self._keys = read_api_keys(path)
        self._read_at = _stamp(path)

    def find(self, key: str) -> ApiKey | None:
        """The owner of ``key``, or None; takes the same time however much of a wrong key is right."""
        self._refresh()
        digest = digest_of(key)
        found = None
        for known in self._keys:
            if hmac.compare_digest(known.digest, digest):
                found = known
        return found

    def _refresh(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._read_at:
            return
        self._read_at = stamp
        try:
            self._keys = read_api_keys(self._path)
        except ApiKeysError as error:
            # A half-written file or a mistake in one line must not lock everyone out.
            _log.error("the API keys of before stay valid: %s", error)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Changes whenever the file does; a secret that is mounted again has another inode."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
