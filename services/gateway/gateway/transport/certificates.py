"""Certificates for a home network: a private authority, and a certificate that it signs for this machine's names.

Browsers allow a page to use the camera only over HTTPS or on localhost. No public authority signs for ``192.168.…`` or
``….local``, so each device is set once to trust this authority.
"""

import datetime
import hashlib
import ipaddress
import os
import socket
import ssl
from pathlib import Path

# Apple's devices accept no certificate that is valid longer.
_VALID_DAYS = 825


class CertificateError(RuntimeError):
    """No certificate was made and no file was written; the message says why and what to do."""


def make_certificates(folder: Path, names: list[str]) -> str:
    """Write ``gateway.pem`` and ``gateway.key`` into ``folder``, and first ``ca.pem`` and ``ca.key`` if it has none.

    Args:
        folder: created if missing. Its authority is used again, so that devices keep trusting it.
        names: host names and addresses to be valid for; this machine's own if empty.

    Returns:
        Instructions to print: how to serve with it and how to trust it.

    Raises:
        CertificateError: there is a certificate already, a name is not valid, or the extra is not installed.
    """
    try:
        import trustme
    except ImportError:
        raise CertificateError(
            "making certificates needs trustme, which is not installed; pip install 'segstack-gateway[cert]'"
        ) from None
    authority_file, authority_key = folder / "ca.pem", folder / "ca.key"
    certificate_file, key_file = folder / "gateway.pem", folder / "gateway.key"
    for file in (certificate_file, key_file):
        if file.exists():
            raise CertificateError(f"{file} exists and is not overwritten; move it away to make a new one")
    if authority_file.exists() != authority_key.exists():
        raise CertificateError(
            f"{authority_file} and {authority_key} belong together and one is missing; restore it or move the other"
        )
    names = names or own_names()
    is_new = not authority_file.exists()
    try:
        authority = (
            trustme.CA(organization_name="Segstack", organization_unit_name=f"home network of {socket.gethostname()}")
            if is_new
            else trustme.CA.from_pem(authority_file.read_bytes(), authority_key.read_bytes())
        )
        since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)  # clocks differ
        until = since + datetime.timedelta(days=_VALID_DAYS)
        leaf = authority.issue_cert(
            *names,
            organization_name="Segstack",
            organization_unit_name="gateway",
            not_before=since,
            not_after=until,
        )
    except ValueError as error:
        raise CertificateError(f"no certificate can be made for {', '.join(names)}: {error}") from None
    folder.mkdir(parents=True, exist_ok=True)
    if is_new:
        _write(authority_key, authority.private_key_pem.bytes(), 0o600)
        _write(authority_file, authority.cert_pem.bytes(), 0o644)
    _write(key_file, leaf.private_key_pem.bytes(), 0o600)
    _write(certificate_file, b"".join(blob.bytes() for blob in leaf.cert_chain_pems), 0o644)
    return _advice(folder, names, authority.cert_pem.bytes(), until)


def own_names() -> list[str]:
    """This machine's host names and addresses, including loopback."""
    host = socket.gethostname()
    names = ["localhost", "127.0.0.1", "::1", host]
    if "." not in host:
        names.append(f"{host}.local")  # multicast DNS, as phones and laptops find each other
    found = _addresses(host) | {_address_of_default_route()}
    names += sorted(address for address in found if address and not ipaddress.ip_address(address).is_loopback)
    return names


def _addresses(host: str) -> set[str]:
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        return set()
    return {address for address in found if "%" not in address}  # link-local, usable only with an interface's name


def _address_of_default_route() -> str | None:
    """Connecting a UDP socket sends nothing; it makes the kernel choose the address to send from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: an unassigned address (RFC 5737)
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _write(file: Path, content: bytes, mode: int) -> None:
    """Create a file with ``mode`` from the start, so that a key is never readable by others."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
        opened.write(content)


def _advice(folder: Path, names: list[str], authority_pem: bytes, until: datetime.datetime) -> str:
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(authority_pem.decode())).hexdigest()
    shown = ":".join(fingerprint[i : i + 2] for i in range(0, len(fingerprint), 2)).upper()
    return f"""\
{folder}/gateway.pem is valid until {until:%Y-%m-%d} for {", ".join(names)}.

Serve with it:
  GATEWAY_TLS_CERTIFICATE={folder}/gateway.pem GATEWAY_TLS_KEY={folder}/gateway.key segstack gateway
  (with GATEWAY_HOST=0.0.0.0 and GATEWAY_API_KEYS_FILE, so that other devices can use it)

Trust {folder}/ca.pem once on every device; never share {folder}/ca.key: its holder can impersonate any site to them.
  iPhone, iPad   send yourself ca.pem, open it; Settings > General > VPN & Device Management > install;
                 then General > About > Certificate Trust Settings > switch it on
  Android        Settings > Security > Encryption & credentials > Install a certificate > CA certificate
  macOS          open ca.pem; in Keychain Access set it to Always Trust
  Windows        certutil -addstore -user Root ca.pem
  Debian, Ubuntu sudo cp ca.pem /usr/local/share/ca-certificates/segstack.crt && sudo update-ca-certificates
  Firefox, Chrome on Linux keep their own list: Settings > Privacy and security > certificates > Authorities > Import

Its SHA-256 fingerprint, to compare before trusting it:
  {shown}"""
