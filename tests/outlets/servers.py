#!/usr/bin/env python3
"""Real servers for the tests of alerts: mail with aiosmtpd, and HTTPS. Prints one line of JSON with ports and the CA's file, then
one line for each thing received, and ends when its standard input is closed.

    servers.py FOLDER     a folder for certificates
"""

import asyncio
import http.server
import json
import logging
import ssl
import sys
import threading
from pathlib import Path

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

# Handshakes that fail are what some tests are about.
logging.disable(logging.CRITICAL)
folder = Path(sys.argv[1])
lock = threading.Lock()


def say(**what):
    with lock:
        print(json.dumps(what), flush=True)


class Taken:
    """Says every mail; refuses addresses by their name."""

    def __init__(self, server):
        self.server = server

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("full@"):
            return "452 4.2.2 mailbox full: hunter2"
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user: hunter2"
        if address.startswith("slow@"):
            await asyncio.sleep(60)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        say(
            server=self.server,
            mail=envelope.content.decode(),
            sender=envelope.mail_from,
            to=envelope.rcpt_tos,
            tls=session.ssl is not None or self.server == "wrapped",
            user=session.auth_data.login.decode() if session.authenticated else None,
        )
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    is_right = (data.login, data.password) == (b"mailer", b"p@ss:w/rd")
    return AuthResult(success=is_right, auth_data=data, handled=False)


class Https(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        say(server="https", path=self.path, body=body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def start(name, context=None, **options):
    controller = Controller(Taken(name), hostname="127.0.0.1", port=0, ssl_context=context, authenticator=authenticate, **options)
    controller.start()
    return controller


# port=0: the controller asks for any free port, but looks at that of its options when it tries itself.
class AnyPort(Controller):
    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


Controller = AnyPort

ca = trustme.CA()
ca.cert_pem.write_to_path(folder / "ca.pem")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
trustme.CA().issue_cert("127.0.0.1", "localhost").configure_cert(stranger)

smtp = {
    "plain": start("plain", auth_require_tls=False),
    "starttls": start("starttls", tls_context=context, require_starttls=True),
    "wrapped": start("wrapped", context, auth_require_tls=False),
    "stranger": start("stranger", tls_context=stranger, require_starttls=True),
}
https = {}
for name, certificate in [("https", context), ("https_stranger", stranger)]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Https)
    server.socket = certificate.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    https[name] = server.server_port
say(ports={name: controller.port for name, controller in smtp.items()} | https, ca=str(folder / "ca.pem"))
sys.stdin.read()
for controller in smtp.values():
    controller.stop()
