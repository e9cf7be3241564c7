"""The settings in groups: each field has its environment variable (`name`), default, bounds and explanation.

A function that needs one group takes that group. The docs page is generated from the fields, under the docstring of
their group. Times are in seconds unless the name says otherwise.
"""

# No `from __future__ import annotations`: msgspec would evaluate the text of each annotation, which takes milliseconds.

import sys
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, field

from streams.contracts.keys import Keys
from streams.contracts.security import KafkaSecurity, SaslMechanism, without_secrets

LAST_PORT = 65_535

Port = Annotated[int, Meta(ge=0, le=LAST_PORT)]  # beyond it a server would listen on another port
MOST_WHOLE = 2**63 - 1  # what the wire and the arrays hold
Whole = Annotated[int, Meta(ge=0, le=MOST_WHOLE)]
WholeAboveZero = Annotated[int, Meta(gt=0, le=MOST_WHOLE)]
Number = Annotated[float, Meta(ge=0, le=sys.float_info.max)]  # so it is finite; Meta takes no infinity
NumberAboveZero = Annotated[float, Meta(gt=0, le=sys.float_info.max)]


class KafkaSettings(Struct, frozen=True, kw_only=True):
    """Kafka and its clients."""

    bootstrap: Annotated[str, Meta(description="Kafka bootstrap servers, comma separated.")] = field(
        default="localhost:9092", name="KAFKA_BOOTSTRAP_SERVERS"
    )
    security: Annotated[
        KafkaSecurity, Meta(description="How Kafka is spoken to: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.")
    ] = field(default=KafkaSecurity.PLAINTEXT, name="KAFKA_SECURITY_PROTOCOL")
    sasl: Annotated[
        SaslMechanism | None, Meta(description="How a password is given: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.")
    ] = field(default=None, name="KAFKA_SASL_MECHANISM")
    username: Annotated[str, Meta(description="Who we are to Kafka, with SASL.")] = field(
        default="", name="KAFKA_USERNAME"
    )
    password_file: Annotated[Path | None, Meta(description="File whose one line is the password.")] = field(
        default=None, name="KAFKA_PASSWORD_FILE"
    )
    ca_file: Annotated[
        Path | None, Meta(description="PEM file of the authorities that vouch for the brokers; none: the system's.")
    ] = field(default=None, name="KAFKA_CA_FILE")
    certificate_file: Annotated[
        Path | None, Meta(description="PEM file of our own certificate, where the brokers ask for one.")
    ] = field(default=None, name="KAFKA_CERTIFICATE_FILE")
    key_file: Annotated[Path | None, Meta(description="PEM file of its key, without a passphrase.")] = field(
        default=None, name="KAFKA_KEY_FILE"
    )
    topic_prefix: Annotated[str, Meta(description="Put before every topic and group name.")] = field(
        default="isonomy.", name="ISONOMY_TOPIC_PREFIX"
    )
    replication: Annotated[WholeAboveZero, Meta(description="Replication factor of topics that are created.")] = field(
        default=1, name="ISONOMY_REPLICATION"
    )
    fetch_wait_ms: Annotated[Whole, Meta(description="Longest wait of the broker for new records, ms.")] = field(
        default=20, name="ISONOMY_FETCH_WAIT_MS"
    )
    produce_timeout: Annotated[Number, Meta(description="Longest wait for Kafka before answering 503.")] = field(
        default=5.0, name="ISONOMY_PRODUCE_TIMEOUT"
    )

    def topic(self, name: str) -> str:
        """Full name of a topic."""
        return self.topic_prefix + name

    def group(self, name: str) -> str:
        """Full name of a consumer group."""
        return self.topic_prefix + name


class RedisSettings(Struct, frozen=True, kw_only=True):
    """Redis and its clients."""

    url: Annotated[
        str,
        Meta(
            description="Where the views are published; `rediss://` is encrypted. Sentinels are named as "
            "`redis+sentinel://host:port,host:port/service/0` (`rediss+sentinel://`: encrypted)."
        ),
    ] = field(default="redis://localhost:6379/0", name="REDIS_URL")
    username: Annotated[str, Meta(description="Who we are to Redis; none: its default user.")] = field(
        default="", name="REDIS_USERNAME"
    )
    password_file: Annotated[Path | None, Meta(description="File whose one line is the password.")] = field(
        default=None, name="REDIS_PASSWORD_FILE"
    )
    sentinel_password_file: Annotated[
        Path | None, Meta(description="File whose one line is the password of the Sentinels, where they have one.")
    ] = field(default=None, name="REDIS_SENTINEL_PASSWORD_FILE")
    ca_file: Annotated[
        Path | None, Meta(description="PEM file of the authorities that vouch for Redis; none: the system's.")
    ] = field(default=None, name="REDIS_CA_FILE")
    certificate_file: Annotated[
        Path | None, Meta(description="PEM file of our own certificate, where Redis asks for one.")
    ] = field(default=None, name="REDIS_CERTIFICATE_FILE")
    key_file: Annotated[Path | None, Meta(description="PEM file of its key, without a passphrase.")] = field(
        default=None, name="REDIS_KEY_FILE"
    )
    prefix: Annotated[str, Meta(description="Put before every Redis key.")] = field(
        default="isonomy", name="ISONOMY_REDIS_PREFIX"
    )

    @property
    def place(self) -> str:
        """The URL as it may be shown, without name and password."""
        return without_secrets(self.url)

    @property
    def keys(self) -> Keys:
        """The Redis keys under this prefix."""
        return Keys(self.prefix)

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Leave out the URL, which may hold a password; `place` may be shown."""
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name != "url"]

    def __repr__(self) -> str:
        return f"RedisSettings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


class HttpSettings(Struct, frozen=True, kw_only=True):
    """All HTTP servers."""

    host: Annotated[str, Meta(description="Address that HTTP servers listen on.")] = field(
        default="127.0.0.1", name="ISONOMY_HOST"
    )


class GatewaySettings(Struct, frozen=True, kw_only=True):
    """The gateway."""

    port: Annotated[Port, Meta(description="Port of the gateway.")] = field(default=8080, name="ISONOMY_GATEWAY_PORT")
    api_keys_file: Annotated[
        Path | None, Meta(description="File of hashed bearer keys, one `name:sha256:arenas` a line; none: no writes.")
    ] = field(default=None, name="ISONOMY_API_KEYS_FILE")
    body_limit: Annotated[Whole, Meta(description="Largest request body, bytes.")] = field(
        default=8_388_608, name="ISONOMY_BODY_LIMIT"
    )
    bodies_limit: Annotated[
        Whole,
        Meta(
            description="Bytes of request bodies that a gateway holds at once, one key a fourth of them; the process "
            "takes four times as much. Less than four times the largest body counts as that."
        ),
    ] = field(default=67_108_864, name="ISONOMY_BODIES_LIMIT")
    rate_limit: Annotated[Number, Meta(description="Votes a second that one key may send; 0: no limit.")] = field(
        default=50_000.0, name="ISONOMY_RATE_LIMIT"
    )
    rate_burst: Annotated[Number, Meta(description="Votes that one key may send at once.")] = field(
        default=100_000.0, name="ISONOMY_RATE_BURST"
    )
    quarantine_share: Annotated[
        Number,
        Meta(
            description="A key is answered 429 for a while when more than this share of its items of the last minute "
            "were refused for what they hold; 1: never."
        ),
    ] = field(default=0.9, name="ISONOMY_QUARANTINE_SHARE")
    quarantine_items: Annotated[
        WholeAboveZero, Meta(description="So many items must a key have sent in that minute, at least.")
    ] = field(default=1_000, name="ISONOMY_QUARANTINE_ITEMS")
    key_arenas: Annotated[
        Whole,
        Meta(
            description="Different arenas that a key for all arenas (`*`) may write to within a day, in each gateway; "
            "0: no limit. A key whose line names arenas is bounded by that."
        ),
    ] = field(default=100, name="ISONOMY_KEY_ARENAS")
    key_models: Annotated[
        Whole,
        Meta(
            description="Different models that a key may declare or remove within a day, of each arena and in each "
            "gateway; 0: no limit."
        ),
    ] = field(default=2_000, name="ISONOMY_KEY_MODELS")
    key_names: Annotated[
        Whole,
        Meta(
            description="Different models that the votes of a key may name within a day, of each arena and in each "
            "gateway; 0: no limit. As many as an arena may hold undeclared (`ISONOMY_MAX_MODELS`)."
        ),
    ] = field(default=2_000, name="ISONOMY_KEY_NAMES")


class BoardSettings(Struct, frozen=True, kw_only=True):
    """The board."""

    port: Annotated[Port, Meta(description="Port of the board: page, read API and subscriptions.")] = field(
        default=8081, name="ISONOMY_BOARD_PORT"
    )
    public_url: Annotated[
        str,
        Meta(
            description="Where people reach the board; links in messages start with it. E-mail needs one that is not "
            "this machine's."
        ),
    ] = field(default="http://localhost:8081", name="ISONOMY_PUBLIC_URL")


class SubscriptionSettings(Struct, frozen=True, kw_only=True):
    """Subscriptions to alerts."""

    keys_file: Annotated[
        Path | None,
        Meta(
            description="File of hashed bearer keys that may hold subscriptions, `name:sha256:arenas` a line; none: "
            "no subscriptions."
        ),
    ] = field(default=None, name="ISONOMY_SUBSCRIBER_KEYS_FILE")
    key_subscriptions: Annotated[Whole, Meta(description="Subscriptions that one key may hold.")] = field(
        default=100, name="ISONOMY_KEY_SUBSCRIPTIONS"
    )
    key_emails: Annotated[
        Whole, Meta(description="Of those, so many may be to an e-mail address, confirmed or not; 0: no e-mail.")
    ] = field(default=50, name="ISONOMY_KEY_EMAILS")
    confirmations_per_key: Annotated[
        Whole, Meta(description="So many times a day may one key have recipients asked to confirm.")
    ] = field(default=100, name="ISONOMY_CONFIRMATIONS_PER_KEY")
    confirmations_per_mailbox: Annotated[
        Whole,
        Meta(
            description="So many times a day may one mailbox be asked to confirm, by all keys together; one key has "
            "one time less."
        ),
    ] = field(default=3, name="ISONOMY_CONFIRMATIONS_PER_MAILBOX")


class HeraldSettings(Struct, frozen=True, kw_only=True):
    """The herald."""

    port: Annotated[Port, Meta(description="Port of the herald's /metrics, /healthz and /readyz.")] = field(
        default=8083, name="ISONOMY_HERALD_PORT"
    )
    allow_private: Annotated[
        bool,
        Meta(
            description="Deliver to private, loopback and link-local addresses, too. Only where every subscriber is "
            "trusted."
        ),
    ] = field(default=False, name="ISONOMY_ALLOW_PRIVATE")
    group_seconds: Annotated[
        Number, Meta(description="Alerts for one subscription within so long become one message.")
    ] = field(default=1.0, name="ISONOMY_HERALD_GROUP_SECONDS")
    group_size: Annotated[WholeAboveZero, Meta(description="Most alerts in one message.")] = field(
        default=50, name="ISONOMY_HERALD_GROUP_SIZE"
    )
    retry_seconds: Annotated[
        str, Meta(description="Waits between attempts, comma separated; after the last a delivery is given up.")
    ] = field(default="5,300,1800,7200,18000,36000", name="ISONOMY_HERALD_RETRY_SECONDS")
    connect_seconds: Annotated[NumberAboveZero, Meta(description="Longest wait for a connection.")] = field(
        default=5.0, name="ISONOMY_HERALD_CONNECT_SECONDS"
    )
    attempt_seconds: Annotated[NumberAboveZero, Meta(description="Longest time of one attempt.")] = field(
        default=15.0, name="ISONOMY_HERALD_ATTEMPT_SECONDS"
    )
    concurrency: Annotated[WholeAboveZero, Meta(description="Attempts under way at once; of one key a half.")] = field(
        default=128, name="ISONOMY_HERALD_CONCURRENCY"
    )
    per_host: Annotated[
        WholeAboveZero, Meta(description="Attempts under way at once to one host; of one key a half.")
    ] = field(default=16, name="ISONOMY_HERALD_PER_HOST")
    resend_seconds: Annotated[
        NumberAboveZero, Meta(description="What fires is sent to Alertmanagers again this often.")
    ] = field(default=60.0, name="ISONOMY_HERALD_RESEND_SECONDS")
    history_days: Annotated[
        NumberAboveZero, Meta(description="Settled deliveries are remembered for so long, and while the alert fires.")
    ] = field(default=30.0, name="ISONOMY_HERALD_HISTORY_DAYS")
    smtp_url_file: Annotated[
        Path | None,
        Meta(
            description="File with one Apprise URL (`mailtos://user:password@host:port?from=…`) through which e-mail "
            "is sent; none: no e-mail."
        ),
    ] = field(default=None, name="ISONOMY_SMTP_URL_FILE")


class WorkerSettings(Struct, frozen=True, kw_only=True):
    """The worker."""

    port: Annotated[Port, Meta(description="Port of a worker's /metrics, /healthz and /readyz.")] = field(
        default=8082, name="ISONOMY_WORKER_PORT"
    )
    watchdog_seconds: Annotated[
        Number, Meta(description="Lag without progress for so long ends the process; its supervisor restarts it.")
    ] = field(default=60.0, name="ISONOMY_WATCHDOG_SECONDS")


class IntakeSettings(Struct, frozen=True, kw_only=True):
    """Intake."""

    dedup_seconds: Annotated[
        Number, Meta(description="Horizon of deduplication in record time; the shorter horizon counts.")
    ] = field(default=7 * 86_400.0, name="ISONOMY_DEDUP_SECONDS")
    dedup_records: Annotated[Whole, Meta(description="Horizon of deduplication in records of one votes partition.")] = (
        field(default=1_000_000, name="ISONOMY_DEDUP_RECORDS")
    )
    dead_letter_run: Annotated[Whole, Meta(description="So many refused votes of an arena in a row are too many.")] = (
        field(default=5_000, name="ISONOMY_DEAD_LETTER_RUN")
    )
    dead_letter_ratio: Annotated[
        Number, Meta(description="A larger share of refused votes of an arena is too large.")
    ] = field(default=0.5, name="ISONOMY_DEAD_LETTER_RATIO")
    dead_letter_window: Annotated[
        Whole, Meta(description="Records of a partition over which the share of refused ones is taken.")
    ] = field(default=20_000, name="ISONOMY_DEAD_LETTER_WINDOW")
    fetch_records: Annotated[WholeAboveZero, Meta(description="Most records that intake takes in one fetch.")] = field(
        default=10_000, name="ISONOMY_FETCH_RECORDS"
    )


class FoldSettings(Struct, frozen=True, kw_only=True):
    """The folds: ratings and fairness."""

    refresh_seconds: Annotated[Number, Meta(description="A board is published at most this often.")] = field(
        default=0.25, name="ISONOMY_REFRESH_SECONDS"
    )
    refresh_share: Annotated[
        NumberAboveZero,
        Meta(description="Largest share of a worker's time that refreshing may take; then boards slow down."),
    ] = field(default=0.5, name="ISONOMY_REFRESH_SHARE")
    snapshot_seconds: Annotated[Number, Meta(description="The fold's state is saved this often.")] = field(
        default=10.0, name="ISONOMY_SNAPSHOT_SECONDS"
    )
    reweighted: Annotated[
        bool, Meta(description="Weight pairs by inverse frequency, 1/max(n, 50), on every board.")
    ] = field(default=False, name="ISONOMY_REWEIGHTED")
    fairness_file: Annotated[
        Path | None, Meta(description="TOML file of the fairness settings per arena; none: the defaults everywhere.")
    ] = field(default=None, name="ISONOMY_FAIRNESS_FILE")
    ratings_file: Annotated[
        Path | None, Meta(description="TOML file of the ratings settings per arena; none: the defaults everywhere.")
    ] = field(default=None, name="ISONOMY_RATINGS_FILE")
    max_models: Annotated[
        Whole,
        Meta(
            description="Models an arena may hold that it has not declared, and as many more that it has; votes on "
            "further ones go unrated."
        ),
    ] = field(default=2_000, name="ISONOMY_MAX_MODELS")
    arena_bytes: Annotated[
        Whole,
        Meta(
            description="Memory that the counts of one arena may take in a worker; one that needs more is stopped, "
            "the others go on."
        ),
    ] = field(default=536_870_912, name="ISONOMY_ARENA_BYTES")
    worker_bytes: Annotated[
        Whole,
        Meta(
            description="The same of all arenas of a worker together: beyond it the one is stopped that grows and has "
            "more than its part, or the largest. A worker takes up to three times as much."
        ),
    ] = field(default=1_073_741_824, name="ISONOMY_WORKER_BYTES")
    max_declared: Annotated[
        Whole,
        Meta(
            description="Models, providers and licences that an arena may declare, ever; one that declares more is "
            "stopped, the others go on."
        ),
    ] = field(default=4_000, name="ISONOMY_MAX_DECLARED")
    max_boards: Annotated[Whole, Meta(description="Boards an arena may hold; further labels get none.")] = field(
        default=200, name="ISONOMY_MAX_BOARDS"
    )
