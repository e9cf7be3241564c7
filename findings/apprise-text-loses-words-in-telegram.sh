#!/usr/bin/env bash
# Apprise 2.3.0: plain text sent to Telegram loses whatever stands between "<!" or "</" and ">", without a word.
#
# Version: apprise 2.3.0.
#
# `body_format=NotifyFormat.TEXT` says that a body is plain text, so each letter of it should arrive. For services whose
# own form is HTML the text is made HTML first, and then reduced to the tags that the service knows. The conversion
# escapes some pieces in angle brackets and leaves others, which the reduction takes for declarations and closing tags,
# and drops. Slack, for the same call, gets all of it.
#
# Seen: the body `a <!b> c </d> e <@f> g` arrives in Telegram as `a  c  e &lt;@f&gt; g`, and in Slack whole, as entities.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check apprise==2.3.0

cat > "$work/look.py" <<'PYTHON'
import json

import requests
from apprise import Apprise, AppriseAsset, NotifyFormat

BODY = "a <!b> c </d> e <@f> g"
URLS = {
    "telegram": "tgram://123456789:abcdefghijklmnopqrstuvwxyz123456789/12315544",
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
}
sent = {}


def keep(self, method, url, **given):
    """Nothing leaves this machine: what would be posted is kept."""
    sent[url.split("/")[2]] = json.loads(given["data"])
    answer = requests.Response()
    answer.status_code, answer._content = 200, b'{"ok": true, "result": {"id": 1}}'
    return answer


requests.sessions.Session.request = keep
asset = AppriseAsset(async_mode=False)
for url in URLS.values():
    Apprise.instantiate(url, asset=asset).notify(body=BODY, body_format=NotifyFormat.TEXT)

telegram = sent["api.telegram.org"]["text"]
slack = sent["hooks.slack.com"]["attachments"][0]["text"]
print(f"given     {BODY}")
print(f"Telegram  {telegram}")
print(f"Slack     {slack}")
assert slack == "a &lt;!b&gt; c &lt;/d&gt; e &lt;@f&gt; g"
assert "!b" not in telegram and "/d" not in telegram, "Telegram gets all of it now"
assert "&lt;@f&gt;" in telegram
PYTHON
"$work/venv/bin/python" "$work/look.py"
echo "as the header says"
