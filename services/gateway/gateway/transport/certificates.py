"""Certificates for a home network: an authority of one's own, and a certificate of its for this machine's names.

Browsers give a page the camera only over HTTPS or on localhost. No public authority signs for ``192.168.…`` or
``….local``, so devices are told once to trust this one.
"""

import datetime
import hashlib
import ipaddress
import os
import socket
import ssl
from pathlib import Path

# Apple's devices take no certificate that is valid longer, whoever signed it.
_VALID_DAYS = 825


class CertificateError(RuntimeError):
    """No certificate was made; the message says why and what to do. Nothing has been written or changed."""


def make_certificates(folder: Path, names: list[str]) -> str:
    """Write ``gateway.pem`` and ``gateway.key`` into ``folder``, and first ``ca.pem`` and ``ca.key`` if it has none.

    Args:
        folder: made if it is not there. The authority in it is used again, so that devices need not be told anew.
        names: host names and addresses to be valid for; this machine's own if empty.

    Returns:
        For a person: how to serve with it and how to trust it.

    Raises:
        CertificateError: there is a certificate already, a name is none, or the extra is not installed.
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
            raise CertificateError(f"{file} is there already and is not overwritten; move it away for a new one")
    if authority_file.exists() != authority_key.exists():
        raise CertificateError(f"{authority_file} and {authority_key} belong together; bring the other back or move it")
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
    """What this machine is called and where it is reached on its networks, loopback included."""
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
    return {address for address in found if "%" not in address}  # link-local, of use with an interface's name only


def _address_of_default_route() -> str | None:
    """Connecting a UDP socket sends nothing; it only asks the kernel which address it would send from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: nobody's address (RFC 5737)
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _write(file: Path, content: bytes, mode: int) -> None:
    """A new file that nobody else could read for a moment."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
        opened.write(content)


def _advice(folder: Path, names: list[str], authority_pem: bytes, until: datetime.datetime) -> str:
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(authority_pem.decode())).hexdigest()
    shown = ":".join(fingerprint[i : i + 2] for i in range(0, len(fingerprint), 2)).upper()
    return f"""\
{folder}/gateway.pem is valid until {until:%Y-%m-%d} for {", ".join(names)}.

Serve with it:
  GATEWAY_TLS_CERTIFICATE={folder}/gateway.pem GATEWAY_TLS_KEY={folder}/gateway.key make gateway
  (with GATEWAY_HOST=0.0.0.0 and GATEWAY_API_KEYS_FILE, or other devices are not let in)

Trust {folder}/ca.pem once on every device; never give {folder}/ca.key away, its holder can pose as any site to them.
  iPhone, iPad   send yourself ca.pem, open it; Settings > General > VPN & Device Management > install;
                 then General > About > Certificate Trust Settings > switch it on
  Android        Settings > Security > Encryption & credentials > Install a certificate > CA certificate
  macOS          open ca.pem; in Keychain Access set it to Always Trust
  Windows        certutil -addstore -user Root ca.pem
  Debian, Ubuntu sudo cp ca.pem /usr/local/share/ca-certificates/segstack.crt && sudo update-ca-certificates
  Firefox, Chrome on Linux keep their own list: Settings > Privacy and security > certificates > Authorities > Import

Its SHA-256 fingerprint, to compare before trusting it:
  {shown}"""
