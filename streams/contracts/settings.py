"""All settings, read once from the environment into one frozen value."""

# Longer than most modules: every setting is in one list, from which the docs page is generated.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any, get_type_hints

from streams.contracts.keys import Keys
from streams.contracts.security import REDIS_TLS, SENTINEL, KafkaSecurity, SaslMechanism, split_redis, without_secrets


class InvalidSetting(ValueError):  # noqa: N818 -- read as a sentence: "ISONOMY_X='y' is not a number"
    """A setting that cannot be used; the message names the variable and its valid values."""


LAST_PORT = 65_535


def setting(default: Any, env: str, text: str, *, shown: bool = True) -> Any:
    """Declare one setting with its variable and its explanation (the docs page is generated from these)."""
    return field(default=default, metadata={"env": env, "text": text}, repr=shown)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of every process. Times are in seconds unless the name says otherwise."""

    kafka: str = setting("localhost:9092", "KAFKA_BOOTSTRAP_SERVERS", "Kafka bootstrap servers, comma separated.")
    kafka_security: KafkaSecurity = setting(
        KafkaSecurity.PLAINTEXT,
        "KAFKA_SECURITY_PROTOCOL",
        "How Kafka is spoken to: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.",
    )
    kafka_sasl: SaslMechanism | None = setting(
        None, "KAFKA_SASL_MECHANISM", "How a password is given: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`."
    )
    kafka_username: str = setting("", "KAFKA_USERNAME", "Who we are to Kafka, with SASL.")
    kafka_password_file: Path | None = setting(None, "KAFKA_PASSWORD_FILE", "File whose one line is the password.")
    kafka_ca_file: Path | None = setting(
        None, "KAFKA_CA_FILE", "PEM file of the authorities that vouch for the brokers; none: the system's."
    )
    kafka_certificate_file: Path | None = setting(
        None, "KAFKA_CERTIFICATE_FILE", "PEM file of our own certificate, where the brokers ask for one."
    )
    kafka_key_file: Path | None = setting(None, "KAFKA_KEY_FILE", "PEM file of its key, without a passphrase.")
    redis_url: str = setting(
        "redis://localhost:6379/0",
        "REDIS_URL",
        "Where the views are published; `rediss://` is encrypted. Sentinels are named as "
        "`redis+sentinel://host:port,host:port/service/0` (`rediss+sentinel://`: encrypted).",
        shown=False,  # it may hold a password; `redis_place` may be shown
    )
    redis_username: str = setting("", "REDIS_USERNAME", "Who we are to Redis; none: its default user.")
    redis_password_file: Path | None = setting(None, "REDIS_PASSWORD_FILE", "File whose one line is the password.")
    redis_sentinel_password_file: Path | None = setting(
        None,
        "REDIS_SENTINEL_PASSWORD_FILE",
        "File whose one line is the password of the Sentinels, where they have one.",
    )
    redis_ca_file: Path | None = setting(
        None, "REDIS_CA_FILE", "PEM file of the authorities that vouch for Redis; none: the system's."
    )
    redis_certificate_file: Path | None = setting(
        None, "REDIS_CERTIFICATE_FILE", "PEM file of our own certificate, where Redis asks for one."
    )
    redis_key_file: Path | None = setting(None, "REDIS_KEY_FILE", "PEM file of its key, without a passphrase.")
    topic_prefix: str = setting("isonomy.", "ISONOMY_TOPIC_PREFIX", "Put before every topic and group name.")
    redis_prefix: str = setting("isonomy", "ISONOMY_REDIS_PREFIX", "Put before every Redis key.")
    replication: int = setting(1, "ISONOMY_REPLICATION", "Replication factor of topics that are created.")
    host: str = setting("127.0.0.1", "ISONOMY_HOST", "Address that HTTP servers listen on.")

    gateway_port: int = setting(8080, "ISONOMY_GATEWAY_PORT", "Port of the gateway.")
    api_keys_file: Path | None = setting(
        None,
        "ISONOMY_API_KEYS_FILE",
        "File of hashed bearer keys, one `name:sha256:arenas` a line; none: no writes.",
    )
    body_limit: int = setting(8_388_608, "ISONOMY_BODY_LIMIT", "Largest request body, bytes.")
    bodies_limit: int = setting(
        67_108_864,
        "ISONOMY_BODIES_LIMIT",
        "Bytes of request bodies that a gateway holds at once, one key a fourth of them; the process takes four times "
        "as much. Less than four times the largest body counts as that.",
    )
    rate_limit: float = setting(50_000.0, "ISONOMY_RATE_LIMIT", "Votes a second that one key may send; 0: no limit.")
    rate_burst: float = setting(100_000.0, "ISONOMY_RATE_BURST", "Votes that one key may send at once.")
    quarantine_share: float = setting(
        0.9,
        "ISONOMY_QUARANTINE_SHARE",
        "A key is answered 429 for a while when more than this share of its items of the last minute were refused for "
        "what they hold; 1: never.",
    )
    quarantine_items: int = setting(
        1_000, "ISONOMY_QUARANTINE_ITEMS", "So many items must a key have sent in that minute, at least."
    )
    key_arenas: int = setting(
        100,
        "ISONOMY_KEY_ARENAS",
        "Different arenas that a key for all arenas (`*`) may write to within a day, in each gateway; 0: no limit. A "
        "key whose line names arenas is bounded by that.",
    )
    key_models: int = setting(
        2_000,
        "ISONOMY_KEY_MODELS",
        "Different models that a key may declare or remove within a day, of each arena and in each gateway; 0: no "
        "limit.",
    )
    produce_timeout: float = setting(5.0, "ISONOMY_PRODUCE_TIMEOUT", "Longest wait for Kafka before answering 503.")

    board_port: int = setting(8081, "ISONOMY_BOARD_PORT", "Port of the board: page, read API and subscriptions.")
    public_url: str = setting(
        "http://localhost:8081",
        "ISONOMY_PUBLIC_URL",
        "Where people reach the board; links in messages start with it. E-mail needs one that is not this machine's.",
    )
    herald_port: int = setting(8083, "ISONOMY_HERALD_PORT", "Port of the herald's /metrics, /healthz and /readyz.")
    subscriber_keys_file: Path | None = setting(
        None,
        "ISONOMY_SUBSCRIBER_KEYS_FILE",
        "File of hashed bearer keys that may hold subscriptions, `name:sha256:arenas` a line; none: no subscriptions.",
    )
    allow_private: bool = setting(
        False,
        "ISONOMY_ALLOW_PRIVATE",
        "Deliver to private, loopback and link-local addresses, too. Only where every subscriber is trusted.",
    )

    key_subscriptions: int = setting(100, "ISONOMY_KEY_SUBSCRIPTIONS", "Subscriptions that one key may hold.")
    key_emails: int = setting(
        50, "ISONOMY_KEY_EMAILS", "Of those, so many may be to an e-mail address, confirmed or not; 0: no e-mail."
    )
    confirmations_per_key: int = setting(
        100,
        "ISONOMY_CONFIRMATIONS_PER_KEY",
        "So many times a day may one key have recipients asked to confirm.",
    )
    confirmations_per_mailbox: int = setting(
        3,
        "ISONOMY_CONFIRMATIONS_PER_MAILBOX",
        "So many times a day may one mailbox be asked to confirm, by all keys together; one key has one time less.",
    )

    herald_group_seconds: float = setting(
        1.0, "ISONOMY_HERALD_GROUP_SECONDS", "Alerts for one subscription within so long become one message."
    )
    herald_group_size: int = setting(50, "ISONOMY_HERALD_GROUP_SIZE", "Most alerts in one message.")
    herald_retry_seconds: str = setting(
        "5,300,1800,7200,18000,36000",
        "ISONOMY_HERALD_RETRY_SECONDS",
        "Waits between attempts, comma separated; after the last a delivery is given up.",
    )
    herald_connect_seconds: float = setting(5.0, "ISONOMY_HERALD_CONNECT_SECONDS", "Longest wait for a connection.")
    herald_attempt_seconds: float = setting(15.0, "ISONOMY_HERALD_ATTEMPT_SECONDS", "Longest time of one attempt.")
    herald_concurrency: int = setting(
        128, "ISONOMY_HERALD_CONCURRENCY", "Attempts under way at once; of one key a half."
    )
    herald_per_host: int = setting(
        16, "ISONOMY_HERALD_PER_HOST", "Attempts under way at once to one host; of one key a half."
    )
    herald_resend_seconds: float = setting(
        60.0, "ISONOMY_HERALD_RESEND_SECONDS", "What fires is sent to Alertmanagers again this often."
    )
    herald_history_days: float = setting(
        30.0, "ISONOMY_HERALD_HISTORY_DAYS", "Settled deliveries are remembered for so long, and while the alert fires."
    )
    smtp_url_file: Path | None = setting(
        None,
        "ISONOMY_SMTP_URL_FILE",
        "File with one Apprise URL (`mailtos://user:password@host:port?from=…`) through which e-mail is sent; none: no "
        "e-mail.",
    )

    worker_port: int = setting(8082, "ISONOMY_WORKER_PORT", "Port of a worker's /metrics, /healthz and /readyz.")
    dedup_seconds: float = setting(
        7 * 86_400.0, "ISONOMY_DEDUP_SECONDS", "Horizon of deduplication in record time; the shorter horizon counts."
    )
    dedup_records: int = setting(
        1_000_000, "ISONOMY_DEDUP_RECORDS", "Horizon of deduplication in records of one votes partition."
    )
    dead_letter_run: int = setting(
        5_000, "ISONOMY_DEAD_LETTER_RUN", "So many refused votes of an arena in a row are too many."
    )
    dead_letter_ratio: float = setting(
        0.5, "ISONOMY_DEAD_LETTER_RATIO", "A larger share of refused votes of an arena is too large."
    )
    dead_letter_window: int = setting(
        20_000, "ISONOMY_DEAD_LETTER_WINDOW", "Records of a partition over which the share of refused ones is taken."
    )
    fetch_records: int = setting(10_000, "ISONOMY_FETCH_RECORDS", "Most records that intake takes in one fetch.")
    fetch_wait_ms: int = setting(20, "ISONOMY_FETCH_WAIT_MS", "Longest wait of the broker for new records, ms.")

    refresh_seconds: float = setting(0.25, "ISONOMY_REFRESH_SECONDS", "A board is published at most this often.")
    refresh_share: float = setting(
        0.5,
        "ISONOMY_REFRESH_SHARE",
        "Largest share of a worker's time that refreshing may take; then boards slow down.",
    )
    snapshot_seconds: float = setting(10.0, "ISONOMY_SNAPSHOT_SECONDS", "The fold's state is saved this often.")
    watchdog_seconds: float = setting(
        60.0,
        "ISONOMY_WATCHDOG_SECONDS",
        "Lag without progress for so long ends the process; its supervisor restarts it.",
    )
    reweighted: bool = setting(
        False, "ISONOMY_REWEIGHTED", "Weight pairs by inverse frequency, 1/max(n, 50), on every board."
    )
    fairness_file: Path | None = setting(
        None, "ISONOMY_FAIRNESS_FILE", "TOML file of the fairness settings per arena; none: the defaults everywhere."
    )
    ratings_file: Path | None = setting(
        None, "ISONOMY_RATINGS_FILE", "TOML file of the ratings settings per arena; none: the defaults everywhere."
    )
    max_models: int = setting(
        2_000,
        "ISONOMY_MAX_MODELS",
        "Models an arena may hold that it has not declared, and as many more that it has; votes on further ones go "
        "unrated.",
    )
    arena_bytes: int = setting(
        536_870_912,
        "ISONOMY_ARENA_BYTES",
        "Memory that the counts of one arena may take in a worker; one that needs more is stopped, the others go on.",
    )
    worker_bytes: int = setting(
        1_073_741_824,
        "ISONOMY_WORKER_BYTES",
        "The same of all arenas of a worker together: beyond it the one is stopped that grows and has more than its "
        "part, or the largest. A worker takes up to three times as much.",
    )
    max_declared: int = setting(
        4_000,
        "ISONOMY_MAX_DECLARED",
        "Models, providers and licences that an arena may declare, ever; one that declares more is stopped, the others "
        "go on.",
    )
    max_boards: int = setting(200, "ISONOMY_MAX_BOARDS", "Boards an arena may hold; further labels get none.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings.

        Raises
        ------
        InvalidSetting
            When a variable cannot be read as its type, is out of range, or contradicts another.

        >>> Settings.from_env({"ISONOMY_REFRESH_SECONDS": "0.5"}).refresh_seconds
        0.5
        >>> Settings.from_env({"ISONOMY_GATEWAY_PORT": "http"})
        Traceback (most recent call last):
            ...
        streams.contracts.settings.InvalidSetting: ISONOMY_GATEWAY_PORT='http' is not a whole number
        """
        types = get_type_hints(cls)
        given: dict[str, Any] = {}
        for each in fields(cls):
            variable = each.metadata["env"]
            text = environ.get(variable)
            if text is None or text == "":
                continue
            given[each.name] = _read(variable, text, types[each.name])
        settings = cls(**given)
        for each in fields(cls):
            value = getattr(settings, each.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            if not isfinite(value):
                raise InvalidSetting(f"{each.metadata['env']}={value!r} is not a finite number")
            if value < 0:
                raise InvalidSetting(f"{each.metadata['env']}={value!r} must not be negative")
            if value == 0 and each.name in _NOT_ZERO:
                raise InvalidSetting(f"{each.metadata['env']}={value!r} must be more than zero")
            if each.name.endswith("_port") and value > LAST_PORT:  # a server would listen on another port instead
                raise InvalidSetting(f"{each.metadata['env']}={value!r} must not be above {LAST_PORT}")
        for contradiction in (*_of_kafka(settings), *_of_redis(settings)):
            raise InvalidSetting(contradiction)
        return settings

    def topic(self, name: str) -> str:
        """Full name of a topic."""
        return self.topic_prefix + name

    def group(self, name: str) -> str:
        """Full name of a consumer group."""
        return self.topic_prefix + name

    @property
    def redis_place(self) -> str:
        """The Redis URL as it may be shown, without name and password."""
        return without_secrets(self.redis_url)

    @property
    def keys(self) -> Keys:
        """The Redis keys under this prefix."""
        return Keys(self.redis_prefix)


_NOT_ZERO = {
    "quarantine_items",
    "replication",
    "fetch_records",
    "refresh_share",
    "herald_group_size",
    "herald_connect_seconds",
    "herald_attempt_seconds",
    "herald_concurrency",
    "herald_per_host",
    "herald_resend_seconds",
    "herald_history_days",
}
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def _read(variable: str, text: str, kind: Any) -> Any:
    if kind is bool:
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise InvalidSetting(f"{variable}={text!r} is neither true nor false")
    if kind == Path | None:
        return Path(text)
    for choices in (KafkaSecurity, SaslMechanism):
        if kind in (choices, choices | None):
            if text not in list(choices):
                raise InvalidSetting(f"{variable}={text!r} is none of {', '.join(choices)}")
            return choices(text)
    try:
        return kind(text)
    except ValueError:
        wanted = "whole number" if kind is int else "number"
        raise InvalidSetting(f"{variable}={text!r} is not a {wanted}") from None


def documented() -> list[tuple[str, str, str]]:
    """Every variable with its default and its explanation, in order."""
    return [
        (each.metadata["env"], "" if each.default in (None, MISSING) else str(each.default), each.metadata["text"])
        for each in fields(Settings)
    ]


def _of_kafka(settings: Settings) -> Iterator[str]:
    """Yield a sentence per contradiction between settings, naming variables but no secret; so does `_of_redis`."""
    security = settings.kafka_security
    who = {
        "KAFKA_SASL_MECHANISM": settings.kafka_sasl,
        "KAFKA_USERNAME": settings.kafka_username,
        "KAFKA_PASSWORD_FILE": settings.kafka_password_file,
    }
    certificates = {
        "KAFKA_CA_FILE": settings.kafka_ca_file,
        "KAFKA_CERTIFICATE_FILE": settings.kafka_certificate_file,
        "KAFKA_KEY_FILE": settings.kafka_key_file,
    }
    for variable, value in who.items():
        if security.sasl and not value:
            yield f"KAFKA_SECURITY_PROTOCOL={security} needs {variable}"
        if value and not security.sasl:
            yield f"{variable} is of no use with KAFKA_SECURITY_PROTOCOL={security}: say SASL_SSL, or leave it out"
    for variable, value in certificates.items():
        if value and not security.tls:
            yield f"{variable} is of no use with KAFKA_SECURITY_PROTOCOL={security}: say SSL or SASL_SSL"
    yield from _halves("KAFKA", settings.kafka_certificate_file, settings.kafka_key_file)


def _of_redis(settings: Settings) -> Iterator[str]:
    try:
        url, _ = split_redis(settings.redis_url)
        named, known = bool(url.username), url.password is not None
    except ValueError:  # reported when the URL is used; the error's text may hold a password
        return
    certificates = {
        "REDIS_CA_FILE": settings.redis_ca_file,
        "REDIS_CERTIFICATE_FILE": settings.redis_certificate_file,
        "REDIS_KEY_FILE": settings.redis_key_file,
    }
    for variable, value in certificates.items():
        if value and url.scheme not in REDIS_TLS:
            yield f"{variable} is of no use with a REDIS_URL that does not begin with rediss:// or rediss+sentinel://"
    if settings.redis_sentinel_password_file and url.scheme not in SENTINEL:
        yield "REDIS_SENTINEL_PASSWORD_FILE is of no use with a REDIS_URL that names no Sentinels"
    if settings.redis_username and named:
        yield "REDIS_USERNAME is given, and REDIS_URL names a user, too"
    if settings.redis_password_file and known:
        yield "REDIS_PASSWORD_FILE is given, and REDIS_URL holds a password, too"
    if settings.redis_username and not (settings.redis_password_file or known):
        yield "REDIS_USERNAME needs REDIS_PASSWORD_FILE"
    yield from _halves("REDIS", settings.redis_certificate_file, settings.redis_key_file)


def _halves(whose: str, certificate: Path | None, key: Path | None) -> Iterator[str]:
    if bool(certificate) != bool(key):
        given, missing = ("CERTIFICATE", "KEY") if certificate else ("KEY", "CERTIFICATE")
        yield f"{whose}_{given}_FILE needs {whose}_{missing}_FILE"
