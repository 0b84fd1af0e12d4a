"""Receive alerts and verify their signature (Standard Webhooks 1.0): python receive_webhook.py PORT.

OUTLAY_ALERTER_WEBHOOK_SECRET is the secret that Outlay signs with: `whsec_` and base64.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = base64.b64decode(os.environ["OUTLAY_ALERTER_WEBHOOK_SECRET"].removeprefix("whsec_"))
TOLERANCE_SECONDS = 300
seen: set[str] = set()


def verify(headers: Message, body: bytes) -> bool:
    """Return whether the message was signed with our secret, in the last five minutes."""
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if not message_id or not timestamp or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    signatures = (headers["webhook-signature"] or "").split()  # several while a secret is rotated
    return any(hmac.compare_digest(expected, signature) for signature in signatures)


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to a signed message, 401 to any other."""

    def do_POST(self) -> None:
        """Verify, drop duplicates, handle."""
        body = self.rfile.read(int(self.headers["content-length"]))
        genuine = verify(self.headers, body)
        self.send_response(204 if genuine else 401)
        self.end_headers()
        if genuine and self.headers["webhook-id"] not in seen:  # a message may come more than once
            seen.add(self.headers["webhook-id"])
            message = json.loads(body)
            print(message["type"], message["data"].get("title", ""), flush=True)

    def log_message(self, *_: object) -> None:
        """Print nothing but the alerts."""


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
