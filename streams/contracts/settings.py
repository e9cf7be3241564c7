"""All settings, read once from the environment into one frozen value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from streams.contracts.security import REDIS_TLS, SENTINEL, split_redis
from streams.contracts.setting_groups import (
    LAST_PORT,
    MOST_WHOLE,
    BoardSettings,
    FoldSettings,
    GatewaySettings,
    HeraldSettings,
    HttpSettings,
    IntakeSettings,
    KafkaSettings,
    RedisSettings,
    SubscriptionSettings,
    WorkerSettings,
)

Group = TypeVar("Group", bound=Struct)


class InvalidSetting(ValueError):  # noqa: N818 -- read as a sentence: "ISONOMY_X='y' is not a number"
    """A setting that cannot be used; the message names the variable and its valid values."""


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of every process, in groups."""

    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    board: BoardSettings = field(default_factory=BoardSettings)
    subscriptions: SubscriptionSettings = field(default_factory=SubscriptionSettings)
    herald: HeraldSettings = field(default_factory=HeraldSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    intake: IntakeSettings = field(default_factory=IntakeSettings)
    fold: FoldSettings = field(default_factory=FoldSettings)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings.

        Raises
        ------
        InvalidSetting
            When a variable cannot be read as its type, is out of range, or contradicts another.

        >>> Settings.from_env({"ISONOMY_REFRESH_SECONDS": "0.5"}).fold.refresh_seconds
        0.5
        >>> Settings.from_env({"ISONOMY_GATEWAY_PORT": "http"})
        Traceback (most recent call last):
            ...
        streams.contracts.settings.InvalidSetting: ISONOMY_GATEWAY_PORT='http' is not a whole number
        """
        settings = cls(
            kafka=_read(KafkaSettings, environ),
            redis=_read(RedisSettings, environ),
            http=_read(HttpSettings, environ),
            gateway=_read(GatewaySettings, environ),
            board=_read(BoardSettings, environ),
            subscriptions=_read(SubscriptionSettings, environ),
            herald=_read(HeraldSettings, environ),
            worker=_read(WorkerSettings, environ),
            intake=_read(IntakeSettings, environ),
            fold=_read(FoldSettings, environ),
        )
        for contradiction in (*_of_kafka(settings.kafka), *_of_redis(settings.redis)):
            raise InvalidSetting(contradiction)
        return settings


def documented() -> dict[str, list[tuple[str, str, str]]]:
    """Every variable with its default and its explanation, in order, under the title of its group."""
    return {
        group.type.__doc__.rstrip("."): [
            (
                each.encode_name,
                "" if each.default is None else str(each.default),
                next(meta.description for meta in each.type.__metadata__ if meta.description),
            )
            for each in msgspec.structs.fields(group.type)
        ]
        for group in msgspec.structs.fields(Settings)
    }


_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def _read(group: type[Group], environ: Mapping[str, str]) -> Group:
    given: dict[str, object] = {}
    for variable, default in zip(group.__struct_encode_fields__, group.__struct_defaults__, strict=True):
        text = environ.get(variable)
        if text:
            given[variable] = _from_text(variable, text, type(default))
    try:
        return msgspec.convert(given, group, dec_hook=lambda _, text: Path(text))
    except UnicodeEncodeError:  # a choice that is not UTF-8; msgspec does not say of which variable
        variable = next(each for each, text in given.items() if isinstance(text, str) and not _is_utf8(text))
        raise InvalidSetting(f"{variable}={given[variable]!r} {_fault(group, variable, given[variable])}") from None
    except msgspec.ValidationError as error:  # "... - at `$.VARIABLE`"
        variable = str(error).rpartition("`$.")[2].removesuffix("`")
        raise InvalidSetting(f"{variable}={given[variable]!r} {_fault(group, variable, given[variable])}") from None


def _from_text(variable: str, text: str, kind: type) -> object:
    """Read a truth or a number as Python does; other kinds stay texts.

    msgspec's own reading of texts knows neither `yes` nor ` 7`, and takes `1e3` for a whole number.
    """
    if kind is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise InvalidSetting(f"{variable}={text!r} is neither true nor false")
        return text.lower() in _TRUE
    if kind is not int and kind is not float:
        return text
    try:
        return kind(text)
    except ValueError:
        wanted = "whole number" if kind is int else "number"
        raise InvalidSetting(f"{variable}={text!r} is not a {wanted}") from None


def _fault(group: type[Struct], variable: str, value: object) -> str:
    """Say what is wrong with a value that msgspec refused."""
    if not isinstance(value, (int, float)):
        kind = next(each.type for each in msgspec.structs.fields(group) if each.encode_name == variable)
        return f"is none of {', '.join(_choices(msgspec.inspect.type_info(kind)))}"
    if isinstance(value, float) and not isfinite(value):
        return "is not a finite number"
    if value < 0:
        return "must not be negative"
    if not value:
        return "must be more than zero"
    return f"must not be above {LAST_PORT if variable.endswith('_PORT') else MOST_WHOLE}"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _choices(kind: msgspec.inspect.Type) -> list[str]:
    if isinstance(kind, msgspec.inspect.Metadata):
        return _choices(kind.type)
    if isinstance(kind, msgspec.inspect.UnionType):
        return [choice for each in kind.types for choice in _choices(each)]
    return [each.value for each in kind.cls] if isinstance(kind, msgspec.inspect.EnumType) else []


def _of_kafka(kafka: KafkaSettings) -> Iterator[str]:
    """Yield a sentence per contradiction between settings, naming variables but no secret; so does `_of_redis`."""
    security = kafka.security
    who = {
        "KAFKA_SASL_MECHANISM": kafka.sasl,
        "KAFKA_USERNAME": kafka.username,
        "KAFKA_PASSWORD_FILE": kafka.password_file,
    }
    certificates = {
        "KAFKA_CA_FILE": kafka.ca_file,
        "KAFKA_CERTIFICATE_FILE": kafka.certificate_file,
        "KAFKA_KEY_FILE": kafka.key_file,
    }
    for variable, value in who.items():
        if security.sasl and not value:
            yield f"KAFKA_SECURITY_PROTOCOL={security} needs {variable}"
        if value and not security.sasl:
            yield f"{variable} is of no use with KAFKA_SECURITY_PROTOCOL={security}: say SASL_SSL, or leave it out"
    for variable, value in certificates.items():
        if value and not security.tls:
            yield f"{variable} is of no use with KAFKA_SECURITY_PROTOCOL={security}: say SSL or SASL_SSL"
    yield from _halves("KAFKA", kafka.certificate_file, kafka.key_file)


def _of_redis(redis: RedisSettings) -> Iterator[str]:
    try:
        url, _ = split_redis(redis.url)
        named, known = bool(url.username), url.password is not None
    except ValueError:  # reported when the URL is used; the error's text may hold a password
        return
    certificates = {
        "REDIS_CA_FILE": redis.ca_file,
        "REDIS_CERTIFICATE_FILE": redis.certificate_file,
        "REDIS_KEY_FILE": redis.key_file,
    }
    for variable, value in certificates.items():
        if value and url.scheme not in REDIS_TLS:
            yield f"{variable} is of no use with a REDIS_URL that does not begin with rediss:// or rediss+sentinel://"
    if redis.sentinel_password_file and url.scheme not in SENTINEL:
        yield "REDIS_SENTINEL_PASSWORD_FILE is of no use with a REDIS_URL that names no Sentinels"
    if redis.username and named:
        yield "REDIS_USERNAME is given, and REDIS_URL names a user, too"
    if redis.password_file and known:
        yield "REDIS_PASSWORD_FILE is given, and REDIS_URL holds a password, too"
    if redis.username and not (redis.password_file or known):
        yield "REDIS_USERNAME needs REDIS_PASSWORD_FILE"
    yield from _halves("REDIS", redis.certificate_file, redis.key_file)


def _halves(whose: str, certificate: Path | None, key: Path | None) -> Iterator[str]:
    if bool(certificate) != bool(key):
        given, missing = ("CERTIFICATE", "KEY") if certificate else ("KEY", "CERTIFICATE")
        yield f"{whose}_{given}_FILE needs {whose}_{missing}_FILE"
