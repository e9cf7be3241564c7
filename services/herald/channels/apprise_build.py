"""What Apprise makes of a subscriber's URL, looked at before it is used.

Apprise reads parameters in its own way, and some of them switch certificates off, read a file or name another server.
So parameters are those that Apprise itself found, and what it built is looked at once more.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

from services.herald.channels.apprise_urls import PARAMETERS, apprise_scheme, read_apprise_url
from services.herald.channels.ssrf_guard import RefusedAddress

# Apprise (2.3.0) writes tokens into its log, of a URL that it cannot use. What came of an attempt, our answer says.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)

_PREFIXED = ("qsd+", "qsd-", "qsd:")
"""Where Apprise keeps parameters that begin with +, - or a colon: headers and details of the message's own."""
_MAILS = {"cc", "bcc"}
"""Parameters that Apprise knows of services that send e-mail, and of no others."""
_FINDS_MEMBERS = {"slack", "threema", "zulip"}
"""Services that look up one of their own members by an e-mail address, and mail nothing."""
MAILTO = "e-mail is mailto: and one address; the server is the operator's, and each recipient has its own subscription"


def build(url: str, smtp: str | None, *, allow_private: bool) -> Any:
    """Build the plugin of a URL. Loads Apprise, which takes a second or two the first time: not for an event loop.

    Parameters
    ----------
    url
        As the subscriber gave it.
    smtp
        URL of the operator's SMTP server, for e-mail.
    allow_private
        Lifts the rule on services; those on parameters, certificates and files stay.

    Returns
    -------
    The plugin; None when Apprise cannot use the URL, or there is no SMTP server for it.

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
        # The operator's URL is the operator's: only the address in it was given, and that is one word.
        plugin = Apprise.instantiate(f"{smtp}{'&' if '?' in smtp else '?'}to={quote(target)}", asset)
        if plugin is not None:
            _look_at_recipient(plugin, target)
        return plugin
    try:
        read = url_to_dict(target)  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 -- plugins (2.3.0) trip over URLs in which something is missing
        return None
    if read is None:
        return None
    if read["schema"] != scheme:
        raise RefusedAddress(f"Apprise takes this for {read['schema'][:20]!r}, and not for {scheme!r}")
    if unknown := {name.lower() for name in read["qsd"]} - PARAMETERS:
        raise RefusedAddress(f"parameter {min(unknown)[:20]!r} is none of {', '.join(sorted(PARAMETERS))}")
    if any(read[prefixed] for prefixed in _PREFIXED):
        raise RefusedAddress("a parameter begins with +, - or a colon")
    try:
        plugin = Apprise.instantiate(read, asset, suppress_exceptions=False)
    except Exception:  # noqa: BLE001 -- mostly TypeError, for a token, a target or a region that is none; its text may hold it
        return None
    if plugin is not None:
        _look_at(plugin, scheme)
    return plugin


def _look_at(plugin: Any, scheme: str) -> None:
    """Refuse a plugin that would do what no parameter that we allow may make it do; raises `RefusedAddress`."""
    if scheme not in plugin.schemas():
        raise RefusedAddress(f"Apprise made another service of {scheme!r}")
    if plugin.verify_certificate is not True:
        raise RefusedAddress("certificates would not be checked")
    if getattr(plugin, "template", None):
        raise RefusedAddress("a template would be read from a file")
    _look_for_mail(plugin, scheme)


def _look_at_recipient(plugin: Any, address: str) -> None:
    """Refuse e-mail to anybody but the one who was named and agreed; raises `RefusedAddress`.

    Copies that the operator's own URL asks for are the operator's business.
    """
    recipients = [each[1] for each in plugin.targets]
    if [each.lower() for each in recipients] != [address.lower()]:
        raise RefusedAddress(
            f"Apprise would send to {len(recipients)} recipients, or to another: give one plain address, and none in"
            " the file of ISONOMY_SMTP_URL_FILE"
        )


def _look_for_mail(plugin: Any, scheme: str) -> None:
    """Refuse e-mail by any other way than `mailto:`, where recipients are counted; raises `RefusedAddress`."""
    from apprise.utils.parse import is_email

    if plugin.template_args.keys() & _MAILS:
        raise RefusedAddress(MAILTO)
    targets = getattr(plugin, "targets", None) or ()
    mailed = [each for each in targets if isinstance(each, str) and is_email(each)]  # type: ignore[no-untyped-call]
    if mailed and scheme not in _FINDS_MEMBERS:
        # Pushbullet, for one, sends e-mail to whoever has no account there.
        raise RefusedAddress(f"{scheme[:20]} would send to an e-mail address: {MAILTO}")
