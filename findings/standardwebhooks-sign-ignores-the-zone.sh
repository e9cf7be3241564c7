#!/usr/bin/env bash
# standardwebhooks 1.1.0 (Python): sign() ignores the time zone of the datetime it is given.
#
# Versions: standardwebhooks 1.1.0.
#
# sign(msg_id, timestamp, data) takes a datetime and signs its seconds since 1970. It replaces the zone by UTC instead
# of converting to it: 14:00+02:00 is signed as 14:00 UTC, two hours later than it is. Whoever sends the same moment
# in the webhook-timestamp header, `int(moment.timestamp())`, sends a signature that no receiver accepts, and the
# receiver's words, "No matching signature found", point at the secret. A naive datetime is taken for UTC, too, where
# Python itself takes it for local time. With a moment in UTC all is well, so a test on a server does not show it.
#
# Seen (one moment in three spellings, then header and signature from the same object):
#   2024-06-30T12:00:00+00:00: signed as 2024-06-30T12:00:00+00:00
#   2024-06-30T14:00:00+02:00: signed as 2024-06-30T14:00:00+00:00
#   2024-06-30T07:00:00-05:00: signed as 2024-06-30T07:00:00+00:00
#   now in UTC: accepted
#   now in UTC+02:00: WebhookVerificationError, No matching signature found
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check standardwebhooks==1.1.0

cat > "$work/look.py" <<'PYTHON'
import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta, timezone

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

KEY = bytes(range(24))
BODY = '{"alert":"example"}'
webhook = Webhook("whsec_" + base64.b64encode(KEY).decode())


def signature(seconds):
    """Return the signature as the specification defines it."""
    digest = hmac.new(KEY, f"msg_1.{seconds}.{BODY}".encode(), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


moment = datetime(2024, 6, 30, 12, tzinfo=UTC)
for hours in (0, 2, -5):
    local = moment.astimezone(timezone(timedelta(hours=hours)))
    signed = webhook.sign("msg_1", local, BODY)
    for off in range(-12, 13):
        guess = moment + timedelta(hours=off)
        if signed == signature(int(guess.timestamp())):
            print(f"{local.isoformat()}: signed as {guess.isoformat()}")
for zone in (UTC, timezone(timedelta(hours=2))):
    now = datetime.now(zone)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign("msg_1", now, BODY),
    }
    try:
        webhook.verify(BODY, headers)
        print(f"now in {zone}: accepted")
    except WebhookVerificationError as error:
        print(f"now in {zone}: {type(error).__name__}, {error}")
PYTHON

timeout 60 "$work/venv/bin/python" "$work/look.py" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
2024-06-30T12:00:00+00:00: signed as 2024-06-30T12:00:00+00:00
2024-06-30T14:00:00+02:00: signed as 2024-06-30T14:00:00+00:00
2024-06-30T07:00:00-05:00: signed as 2024-06-30T07:00:00+00:00
now in UTC: accepted
now in UTC+02:00: WebhookVerificationError, No matching signature found
EXPECTED
