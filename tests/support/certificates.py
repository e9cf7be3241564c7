"""Certificates for tests, made by openssl: a certificate authority and the certificates that it signs."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


@dataclass(frozen=True)
class Pair:
    """PEM files; `chain` holds the key and the certificate, as Kafka's PEM key store requires."""

    certificate: Path
    key: Path
    chain: Path


class Authority:
    """A certificate authority in a directory; `file` is its own certificate."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.file = directory / "authority.pem"
        self._key = directory / "authority.key"
        _openssl(
            "req", "-x509", *CURVE, "-keyout", self._key, "-out", self.file, "-days", "2", "-subj", "/CN=authority"
        )

    def certificate(self, name: str, hosts: str = "DNS:localhost,IP:127.0.0.1") -> Pair:
        """A certificate for hosts, and its key."""
        base = self._directory / name
        key, request, certificate, names, chain = (
            base.with_suffix(f".{kind}") for kind in ("key", "request", "pem", "names", "chain")
        )
        names.write_text(f"subjectAltName={hosts}\n")
        _openssl("req", *CURVE, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        signed = ["-CA", self.file, "-CAkey", self._key, "-CAcreateserial", "-days", "2", "-extfile", names]
        _openssl("x509", "-req", "-in", request, *signed, "-out", certificate)
        chain.write_text(key.read_text() + certificate.read_text())
        return Pair(certificate, key, chain)


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
