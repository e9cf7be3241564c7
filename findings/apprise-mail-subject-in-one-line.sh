#!/usr/bin/env bash
# Apprise 2.3.0: the subject of an e-mail is written in one line however long it is, and a strict server refuses the mail.
#
# Versions: apprise 2.3.0, aiosmtpd 1.4.6.
#
# RFC 5322 allows 998 letters in a line and RFC 2047 75 in an encoded word; Python's own EmailMessage folds a header.
# Apprise encodes the subject as one word and folds nothing. A letter outside ASCII takes up to twelve letters there, so
# 84 of four bytes are enough: the server answers 500, `notify` returns False, and with the same title every retry does.
# With ASCII the same title passes.
#
# Seen: 110 letters of ASCII: sent. 110 letters of four bytes each: a line of more than 998, refused.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check apprise==2.3.0 aiosmtpd==1.4.6

cat > "$work/look.py" <<'PYTHON'
import logging
import socket
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from apprise import Apprise

logging.getLogger("apprise").setLevel(logging.CRITICAL)
WIDE = "\N{MATHEMATICAL DOUBLE-STRUCK CAPITAL X}"


class Inbox:
    def __init__(self):
        self.letters = []

    async def handle_DATA(self, server, session, envelope):
        self.letters.append(envelope.content)
        return "250 taken"


with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
inbox = Inbox()
controller = Controller(inbox, hostname="127.0.0.1", port=port)
controller.start()
try:
    mail = Apprise.instantiate(f"mailto://127.0.0.1:{port}?from=a@example.org&to=b@example.org&format=text")
    outcomes = {name: mail.notify(title=letter * 110, body="text") for name, letter in (("ASCII", "x"), ("wide", WIDE))}
finally:
    controller.stop()
longest = max(len(line) for letter in inbox.letters for line in letter.splitlines())
folded = EmailMessage()
folded["Subject"] = WIDE * 110
lines = folded.as_bytes().splitlines()
print(f"110 letters of ASCII:      sent {outcomes['ASCII']}, longest line {longest}")
print(f"110 letters of four bytes: sent {outcomes['wide']}")
print(f"Python's EmailMessage:     {len(lines)} lines, longest {max(map(len, lines))}")
assert outcomes == {"ASCII": True, "wide": False}, outcomes
assert len(inbox.letters) == 1
assert max(map(len, lines)) <= 78
PYTHON
"$work/venv/bin/python" "$work/look.py"
echo "as the header says"
