"""Certificates for a home network, and HTTPS with them."""

import ssl

import httpx
import pytest

from gateway.transport.certificates import CertificateError, make_certificates, own_names


def trust(folder):
    return ssl.create_default_context(cafile=folder / "ca.pem")


def https(make_gateway, folder):
    return make_gateway(trust(folder), tls_certificate=folder / "gateway.pem", tls_key=folder / "gateway.key")


def test_https_with_the_trusted_authority(make_gateway, certificates, jpeg):
    client = https(make_gateway, certificates)
    assert client.base_url.scheme == "https"
    assert client.post("/segment", content=jpeg).status_code == 200
    assert client.get("/").headers["Strict-Transport-Security"] == "max-age=31536000"
    # On localhost HSTS would apply to every other server developed there.
    assert "Strict-Transport-Security" not in client.get("/", headers={"Host": "localhost:8000"}).headers


def test_https_without_the_authority_is_refused_by_the_client(make_gateway, certificates):
    client = https(make_gateway, certificates)
    with httpx.Client(base_url=client.base_url) as untrusting, pytest.raises(httpx.ConnectError, match="CERTIFICATE"):
        untrusting.get("/livez")


def test_plain_http_has_no_hsts_header(client):
    assert "Strict-Transport-Security" not in client.get("/").headers


def test_private_keys_are_readable_by_their_owner_only(certificates):
    modes = {file.name: file.stat().st_mode & 0o777 for file in certificates.iterdir()}
    assert modes == {"ca.pem": 0o644, "ca.key": 0o600, "gateway.pem": 0o644, "gateway.key": 0o600}


def test_existing_certificate_is_not_overwritten(certificates):
    before = {file: file.read_bytes() for file in certificates.iterdir()}
    with pytest.raises(CertificateError, match=r"gateway\.pem exists"):
        make_certificates(certificates, [])
    assert {file: file.read_bytes() for file in certificates.iterdir()} == before


def test_new_certificate_is_signed_by_the_existing_authority(certificates, make_gateway):
    authority = trust(certificates)
    for name in ("gateway.pem", "gateway.key"):
        (certificates / name).unlink()
    make_certificates(certificates, ["127.0.0.1", "camera.local"])
    client = https(make_gateway, certificates)
    with httpx.Client(base_url=client.base_url, verify=authority) as device:
        assert device.get("/livez").status_code == 200


def test_authority_without_its_key_is_not_replaced(certificates):
    (certificates / "gateway.pem").rename(certificates / "old.pem")
    (certificates / "gateway.key").unlink()
    (certificates / "ca.key").unlink()
    with pytest.raises(CertificateError, match="belong together"):
        make_certificates(certificates, [])
    assert not (certificates / "gateway.pem").exists()


def test_invalid_name_leaves_nothing_behind(tmp_path):
    with pytest.raises(CertificateError, match="no certificate can be made for -"):
        make_certificates(tmp_path / "certs", ["-"])
    assert not (tmp_path / "certs").exists()


def test_certificate_is_valid_for_825_days(certificates):
    cryptography = pytest.importorskip("cryptography.x509")
    certificate = cryptography.load_pem_x509_certificate((certificates / "gateway.pem").read_bytes())
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 825


def test_default_names_are_those_of_this_machine():
    names = own_names()
    assert names[:3] == ["localhost", "127.0.0.1", "::1"]
    assert len(names) >= 4


def test_advice_says_how_to_serve_and_what_to_trust(tmp_path):
    advice = make_certificates(tmp_path, ["camera.local"])
    for piece in (
        "camera.local",
        "GATEWAY_TLS_CERTIFICATE=",
        "GATEWAY_TLS_KEY=",
        "ca.pem",
        "iPhone",
        "Android",
        "SHA-256",
    ):
        assert piece in advice
