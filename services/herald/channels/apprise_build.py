"""Builds an Apprise plugin from a subscriber's URL, and checks the plugin before it is used.

Apprise parses parameters in its own way, and some of them disable certificate checks, read a file or name another
server. So the check uses the parameters that Apprise itself has parsed, and then inspects the plugin.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

from services.herald.channels.apprise_urls import PARAMETERS, apprise_scheme, read_apprise_url
from services.herald.channels.ssrf_guard import RefusedAddress

# Apprise (2.3.0) logs the tokens of a URL that it cannot use. Our answer states the outcome of an attempt.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)

_PREFIXED = ("qsd+", "qsd-", "qsd:")
"""Where Apprise stores parameters that begin with +, - or a colon: custom headers and payload fields."""
_MAILS = {"cc", "bcc"}
"""Template parameters that only Apprise's e-mail services have."""
_FINDS_MEMBERS = {"slack", "threema", "zulip"}
"""Services that find one of their members by an e-mail address, and send no mail."""
MAILTO = "e-mail is mailto: and one address; the server is the operator's, and each recipient has its own subscription"


def build(url: str, smtp: str | None, *, allow_private: bool) -> Any:
    """Build the plugin of a URL. The first call imports Apprise, a second or two: do not call it on an event loop.

    Parameters
    ----------
    url
        The URL as the subscriber gave it.
    smtp
        URL of the operator's SMTP server, for e-mail.
    allow_private
        Allows any service. The rules on parameters, certificates and files stay.

    Returns
    -------
    The plugin; None if Apprise cannot use the URL, or if it is e-mail and there is no SMTP server.

    Raises
    ------
    RefusedAddress
        With the reason, and without the URL.
    """
    from apprise import Apprise, AppriseAsset
    from apprise.plugins import url_to_dict

    asset = AppriseAsset(app_id="Isonomy", app_desc="Isonomy", app_url="", http_redirects=False)
    target, scheme = read_apprise_url(url, allow_private=allow_private), apprise_scheme(url)
    if scheme == "mailto":
        if smtp is None:
            return None
        # We trust the operator's URL. Only the address comes from the subscriber, and it is one word.
        plugin = Apprise.instantiate(f"{smtp}{'&' if '?' in smtp else '?'}to={quote(target)}", asset)
        if plugin is not None:
            _look_at_recipient(plugin, target)
        return plugin
    try:
        read = url_to_dict(target)  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 -- plugins (2.3.0) raise various errors for incomplete URLs
        return None
    if read is None:
        return None
    if read["schema"] != scheme:
        raise RefusedAddress(f"Apprise reads this as {read['schema'][:20]!r}, not as {scheme!r}")
    if unknown := {name.lower() for name in read["qsd"]} - PARAMETERS:
        raise RefusedAddress(f"parameter {min(unknown)[:20]!r} is none of {', '.join(sorted(PARAMETERS))}")
    if any(read[prefixed] for prefixed in _PREFIXED):
        raise RefusedAddress("a parameter begins with +, - or a colon")
    try:
        plugin = Apprise.instantiate(read, asset, suppress_exceptions=False)
    except Exception:  # noqa: BLE001 -- mostly TypeError for a bad token, target or region; its text may contain it
        return None
    if plugin is not None:
        _look_at(plugin, scheme)
    return plugin


def _look_at(plugin: Any, scheme: str) -> None:
    """Refuse a plugin with behaviour that no allowed parameter may cause; raises `RefusedAddress`."""
    if scheme not in plugin.schemas():
        raise RefusedAddress(f"Apprise reads {scheme!r} as another service")
    if plugin.verify_certificate is not True:
        raise RefusedAddress("certificates would not be verified")
    if getattr(plugin, "template", None):
        raise RefusedAddress("a template would be read from a file")
    _look_for_mail(plugin, scheme)


def _look_at_recipient(plugin: Any, address: str) -> None:
    """Refuse e-mail to anybody but the one recipient who agreed; raises `RefusedAddress`.

    The operator's own URL may still add copies.
    """
    recipients = [each[1] for each in plugin.targets]
    if [each.lower() for each in recipients] != [address.lower()]:
        raise RefusedAddress(
            f"Apprise would send to {len(recipients)} recipients, or to another: give one plain address, and none in"
            " the file of ISONOMY_SMTP_URL_FILE"
        )


def _look_for_mail(plugin: Any, scheme: str) -> None:
    """Refuse e-mail through any service but `mailto:`, which counts recipients; raises `RefusedAddress`."""
    from apprise.utils.parse import is_email

    if plugin.template_args.keys() & _MAILS:
        raise RefusedAddress(MAILTO)
    targets = getattr(plugin, "targets", None) or ()
    mailed = [each for each in targets if isinstance(each, str) and is_email(each)]  # type: ignore[no-untyped-call]
    if mailed and scheme not in _FINDS_MEMBERS:
        # Pushbullet, for example, mails everybody who has no account there.
        raise RefusedAddress(f"{scheme[:20]} would send to an e-mail address: {MAILTO}")
