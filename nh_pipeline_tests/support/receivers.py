"""Who gets alerts, on loopback: a webhook, and a mail server that speaks as much of SMTP as a client of it needs."""

from __future__ import annotations

import base64
import email
import json
import socketserver
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email import policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATH = "/services/hush-4711"
"""Of the webhook: whoever knows it may post there."""
USER, PASSWORD = "nh", "geheim-0815"


@dataclass
class Received:
    """What a server got, and how it answers: ``status`` of the webhook, ``refuses`` of the mail server's recipients."""

    port: int = 0
    messages: list[str] = field(default_factory=list)
    asked: int = 0
    status: int = 200
    refuses: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    def taken(self) -> str:
        """The one message since the last time."""
        (message,) = self.messages
        self.messages.clear()
        return message


@contextmanager
def _served(server: socketserver.TCPServer, got: Received) -> Iterator[Received]:
    got.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def webhook() -> Iterator[Received]:
    got = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.asked += 1
            if got.status == 200:
                assert (self.path, self.headers["content-type"]) == (PATH, "application/json")
                got.messages.append(json.loads(body)["text"])
            self.send_response(got.status)
            if got.status == 302:
                self.send_header("location", got.url)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with _served(ThreadingHTTPServer(("127.0.0.1", 0), Handler), got) as served:
        yield served


class _Mail(socketserver.StreamRequestHandler):
    """Speaks with one client."""

    got: Received
    tls: ssl.SSLContext
    secure = known = False

    def handle(self) -> None:
        self.got.asked += 1
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            verb = line.partition(" ")[0].upper()
            self._say(self._answer(verb, line))
            if verb == "STARTTLS":
                self.secure, self.request = True, self.tls.wrap_socket(self.request, server_side=True)
                self.setup()
            elif verb == "DATA":
                self._take(b"".join(iter(self.rfile.readline, b".\r\n")))

    def finish(self) -> None:
        super().finish()
        self.request.close()  # after STARTTLS it is not the one that the server closes

    def _answer(self, verb: str, line: str) -> str:
        if verb == "AUTH":
            word = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
            self.known = self.secure and line == f"AUTH PLAIN {word}"
        answers = {
            "EHLO": f"250-here\r\n250 {'AUTH PLAIN' if self.secure else 'STARTTLS'}",
            "STARTTLS": "220 go on",
            "AUTH": "235 welcome" if self.known else "535 who are you",
            "RCPT": "250 fine" if self.known and not self.got.refuses else "550 no",
            "DATA": "354 go on",
            "QUIT": "221 bye",
        }
        return answers.get(verb, "250 fine")

    def _take(self, content: bytes) -> None:
        mail = email.message_from_bytes(content, policy=policy.default)
        self.got.messages.append(f"{mail['To']}\n{mail['Subject']}\n{mail.get_content().replace(chr(13), '')}")
        self._say("250 taken")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server(certificate: Path) -> Iterator[Received]:
    """It takes e-mail of :data:`USER` alone, and only after STARTTLS."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    got = Received()
    handler = type("Mail", (_Mail,), {"got": got, "tls": tls})
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_: None  # who does not trust the certificate goes away
    with _served(server, got) as served:
        yield served


def certificate(folder: Path) -> Path:
    """Of 127.0.0.1, signed by itself, with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(tz=timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path, pem = folder / "server.pem", serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem))
    return path
