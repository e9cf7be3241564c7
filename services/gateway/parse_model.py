"""Parse the body of PUT /v1/arenas/{arena}/models/{model} into one model record. Pure."""

from __future__ import annotations

import msgspec

from services.http.errors import Refused
from streams.contracts.model import Model, model_key, parse_model, split_key
from streams.contracts.names import normalised
from streams.contracts.reasons import FIELD_REASONS, Reason
from streams.contracts.vote import DOOR_SECONDS, InvalidRecord, decode_json

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_model(body: bytes, arena: str, model: str, now: float) -> tuple[bytes, bytes]:
    """Key and value of the record; arena and model come from the path, `tstamp` is now unless the body has one.

    The model is written in its normal form.

    Raises
    ------
    Refused
        When the body is not a valid record of this model; with the reason.

    >>> body = b'{"provider":"p","license":"proprietary","visibility":"public","status":"active","weight":1}'
    >>> read_model(body, "text", "m", 7.0)[1][:42]
    b'{"arena":"text","model":"m","tstamp":7.0,"'
    """
    try:
        fields: dict[str, msgspec.Raw] = decode_json(_fields, body)
        path = {"arena": arena, "model": normalised(model)}
        for name, wanted in path.items():
            given = _text(fields[name]) if name in fields else wanted
            if given is None or (normalised(given) if name == "model" else given) != wanted:
                raise InvalidRecord(FIELD_REASONS[name], f"{name} in the body is not {wanted!r}, as in the path")
        value = msgspec.json.encode({**path, "tstamp": now} | fields | path)
        key = model_key(arena, path["model"])
        parse_model(value, key, now, DOOR_SECONDS)
    except InvalidRecord as error:
        raise Refused(error.reason, error.detail) from None
    return key, value


def unread_fields(value: bytes) -> list[str]:
    """Fields of a record that `Model` does not have, such as misspelt ones: they have no effect.

    >>> unread_fields(b'{"model":"m","anounced_at":1}')
    ['anounced_at']
    """
    return sorted(_fields.decode(value).keys() - {*Model.__struct_fields__})


def _text(raw: msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.ValidationError:
        return None


def key_of(arena: str, model: str) -> bytes:
    """Record key of the model in the path, for its removal; raises `Refused` when no model can have this key.

    `model` is the name as in its record: a record from before names had a normal form has a key of its own.
    """
    key = model_key(arena, model)
    try:
        split_key(key)
    except InvalidRecord:
        raise Refused(Reason.INVALID_MODEL, f"{arena[:40]!r}, {model[:140]!r} is not an arena and a model") from None
    return key
