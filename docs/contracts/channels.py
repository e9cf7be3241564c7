"""The AsyncAPI 3.0 document: every topic with its key, settings and messages, and who sends and receives."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from flow import FLOWS, PURPOSE, Flow
from schemas import components, json_text

from streams.contracts.alert import Alert
from streams.contracts.dead_letter import REDRIVEN
from streams.contracts.delivery import Asked, Blocked, Claim, Delivery, Disabled, Replay
from streams.contracts.model import Model
from streams.contracts.reasons import Reason
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.subscription import Subscription
from streams.contracts.topics import (
    ALERTS,
    DEAD_LETTERS,
    DELIVERIES,
    LEDGER,
    MODELS,
    SUBSCRIPTIONS,
    TOPICS,
    VOTES,
    Topic,
)
from streams.contracts.vote import ARENA_PATTERN, Vote
from streams.ledger.codec import VERSION

Document = dict[str, Any]

BINDING = {"bindingVersion": "0.5.0"}
MESSAGES: dict[str, tuple[str, ...]] = {
    VOTES.name: ("vote",),
    MODELS.name: ("model", "modelRemoval"),
    LEDGER.name: ("block", "notice"),
    DEAD_LETTERS.name: ("deadLetter",),
    ALERTS.name: ("alert",),
    SUBSCRIPTIONS.name: ("subscription", "subscriptionRemoval"),
    DELIVERIES.name: ("delivery", "claim", "disabled", "blocked", "replay", "asked", "deliveryRemoval"),
}
"""Messages of each topic; a topic that is only reserved has none."""

_HERALD = (Subscription, Delivery, Claim, Disabled, Blocked, Replay, Asked)


def asyncapi_json() -> str:
    """`asyncapi.json`."""
    return json_text(asyncapi())


def asyncapi() -> Document:
    """Whole document, ready for JSON."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Isonomy",
            "version": version("isonomy"),
            "description": (
                "The Kafka topics of Isonomy. A person's votes come in through `votes`; what can be counted stands, in"
                " order, in `ledger`, and every leaderboard is a fold of that. Names are shown with the default prefix."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "The cluster that `KAFKA_BOOTSTRAP_SERVERS` names.",
                "variables": {"bootstrap": {"default": KafkaSettings().bootstrap}},
            }
        },
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {_operation_name(flow): _operation(flow) for flow in FLOWS},
        "components": {
            "messages": _messages(),
            "schemas": {**components(Vote, Model, Alert, *_HERALD), **_ledger_schemas()},
        },
    }


def _channel(topic: Topic) -> Document:
    return {
        "address": f"{{prefix}}{topic.name}",
        "description": PURPOSE[topic.name] + ("" if topic.name in MESSAGES else " Nothing writes to it yet."),
        "parameters": {
            "prefix": {"default": KafkaSettings().topic_prefix, "description": "The setting `ISONOMY_TOPIC_PREFIX`."}
        },
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in MESSAGES.get(topic.name, ())},
        "bindings": {
            "kafka": {
                "topic": KafkaSettings().topic(topic.name),
                "partitions": topic.partitions,
                "topicConfiguration": {name: _config(name, value) for name, value in sorted(topic.config.items())},
                **BINDING,
            }
        },
        "x-key": topic.key,
    }


def _config(name: str, value: str) -> str | int | list[str]:
    if name == "cleanup.policy":
        return value.split(",")
    return int(value) if value.lstrip("-").isdecimal() else value


def _operation_name(flow: Flow) -> str:
    process, topic = (
        "".join(word.capitalize() for word in name.split("-")) for name in (flow.process, flow.topic.name)
    )
    return f"{process[0].lower()}{process[1:]}{flow.action.capitalize()}s{topic}"


def _operation(flow: Flow) -> Document:
    channel = f"#/channels/{flow.topic.name}"
    operation: Document = {
        "action": flow.action,
        "channel": {"$ref": channel},
        "summary": flow.summary,
        "tags": [{"name": flow.process}],
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in MESSAGES[flow.topic.name]],
    }
    if flow.group is not None:
        operation["bindings"] = {
            "kafka": {"groupId": {"type": "string", "const": KafkaSettings().group(flow.group)}, **BINDING}
        }
    return operation


def _messages() -> Document:
    return {
        "alert": _message(
            "Alert",
            "One statement of an alert. A crash may repeat it, with the same bytes. Life cycle and kinds are in"
            " alerts.md.",
            {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "The alert's `fingerprint`."},
            _ref("Alert"),
        ),
        "asked": _message(
            "Asked",
            "A recipient of e-mail is asked to confirm a subscription; counted for a day, then removed.",
            {"type": "string", "description": "`asked/` and the question's `id`."},
            _ref("Asked"),
        ),
        "blocked": _message(
            "Blocked",
            "The operator disabled a subscription, whatever its owner changes.",
            {"type": "string", "description": "`blocked/` and the subscription's id."},
            _ref("Blocked"),
        ),
        "block": _message(
            "Block",
            "Votes of one arena as columns. Described, with a worked decode, in ledger.md.",
            {"type": "string", "pattern": ARENA_PATTERN, "description": "The arena."},
            _ref("LedgerBlock"),
            content_type="application/vnd.msgpack",
        ),
        "deadLetter": _message(
            "DeadLetter",
            "A refused record: key and headers say where it stood and why, the value is its own, byte for byte.",
            {"type": "string", "description": "`topic/partition/offset` of the refused record; may occur twice."},
            {"description": "The original bytes, or no value if there was none. Need not be JSON, nor UTF-8."},
            content_type="application/octet-stream",
            headers=_dead_letter_headers(),
        ),
        "claim": _message(
            "Claim",
            "The herald that delivers from here on, or its word that it has stopped. The last one counts.",
            {"type": "string", "const": "claim"},
            _ref("Claim"),
        ),
        "delivery": _message(
            "Delivery",
            "One alert owed to one subscription, and where it stands. Described in subscriptions.md.",
            {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "The delivery's `id`."},
            _ref("Delivery"),
        ),
        "deliveryRemoval": _message(
            "DeliveryRemoval",
            "A record without value: settled long ago, and forgotten.",
            {"type": "string", "description": "Any key of the topic."},
            {"type": "null", "description": "No value."},
        ),
        "disabled": _message(
            "Disabled",
            "The endpoint answered 410: this revision of the subscription is disabled.",
            {"type": "string", "description": "`disabled/` and the subscription's id."},
            _ref("Disabled"),
        ),
        "replay": _message(
            "Replay",
            "The owner wants a failed delivery sent again.",
            {"type": "string", "description": "`replay/` and the delivery's id."},
            _ref("Replay"),
        ),
        "subscription": _message(
            "Subscription",
            "Whom to tell of which alerts, and how. Described in subscriptions.md.",
            {"type": "string", "description": "The subscription's `id`; compaction keeps the newest."},
            _ref("Subscription"),
        ),
        "subscriptionRemoval": _message(
            "SubscriptionRemoval",
            "A record without value deletes the subscription.",
            {"type": "string", "description": "The subscription's `id`."},
            {"type": "null", "description": "No value."},
        ),
        "model": _message(
            "Model",
            "What the arena declares of one model from now on.",
            {"type": "string", "description": "`arena/model`; compaction keeps the newest."},
            _ref("Model"),
        ),
        "modelRemoval": _message(
            "ModelRemoval",
            "A record without value takes the model off the registry; to retire it, send its record as `retired`.",
            {"type": "string", "description": "`arena/model`."},
            {"type": "null", "description": "No value."},
        ),
        "notice": _message(
            "Notice",
            "A change of the registry at its place among the votes.",
            {"type": "string", "pattern": ARENA_PATTERN, "description": "The arena."},
            _ref("LedgerNotice"),
            content_type="application/vnd.msgpack",
        ),
        "vote": _message(
            "Vote",
            "One battle and what the person said of it.",
            {"type": "string", "minLength": 1, "maxLength": 64, "description": "The vote's `id`; nothing else."},
            _ref("Vote"),
        ),
    }


def _message(
    name: str,
    summary: str,
    key: Document,
    payload: Document,
    *,
    content_type: str = "application/json",
    headers: Document | None = None,
) -> Document:
    return {
        "name": name,
        "summary": summary,
        "contentType": content_type,
        **({} if headers is None else {"headers": headers}),
        "payload": payload,
        "bindings": {"kafka": {"key": key, **BINDING}},
    }


def _dead_letter_headers() -> Document:
    number = {"type": "string", "pattern": "^[0-9]+$"}
    return {
        "type": "object",
        "description": "Header values are UTF-8 text, but for `key`.",
        "required": ["reason", "detail", "topic", "partition", "offset"],
        "properties": {
            "reason": {"type": "string", "enum": [reason.value for reason in Reason]},
            "detail": {"type": "string", "description": "One sentence for a person, at most 1024 bytes."},
            "topic": {"type": "string", "description": "Where the record stood, with the prefix."},
            "partition": number,
            "offset": number,
            "last_offset": {
                **number,
                "description": "Of a batch that cannot be read (`unreadable`), the offset of its last record; the value"
                " is then the batch as it stands in the log, header included.",
            },
            "cut": {
                **number,
                "description": "Bytes of key and value, where they are too many for a letter: it then holds the"
                " beginning of each.",
            },
            "key": {"description": "The record's own key, its bytes; absent if it had none."},
            REDRIVEN: {
                **number,
                "description": "Epoch milliseconds at which `isonomy dead-letters redrive` had sent the record again."
                " The letter itself stands before; this one has an empty value.",
            },
        },
    }


def _ledger_schemas() -> dict[str, Document]:
    """What the msgpack records hold, as far as a JSON Schema can say."""
    arena = {"type": "string", "pattern": ARENA_PATTERN}
    whole = {"type": "integer", "minimum": 0}
    words = {"type": "array", "items": {"type": "string"}}
    version_1 = {"const": VERSION}
    column = {
        "type": "object",
        "required": ["dtype", "data"],
        "properties": {
            "dtype": {"type": "string", "description": "As numpy writes it: `<u2`, `<f8`."},
            "data": {"description": "msgpack bin: the values, little-endian, one after the other."},
        },
    }
    block = {
        "v": version_1,
        "kind": {"const": "block"},
        "arena": arena,
        "rows": whole,
        "through": {
            "type": "array",
            "description": "Pairs of votes partition and offset: nothing at or below it is still to come.",
            "items": {"type": "array", "items": whole, "minItems": 2, "maxItems": 2},
        },
        "models": words,
        "languages": words,
        "category_sets": {"type": "array", "items": words},
        "voters": words,
        "prompts": words,
        "columns": {"type": "object", "additionalProperties": _ref("LedgerColumn")},
    }
    battles = {**words, "description": "There when there is a column `battle`."}
    notice = {
        "v": version_1,
        "kind": {"const": "notice"},
        "arena": arena,
        "name": {"type": "string", "minLength": 1, "maxLength": 128},
        "partition": whole,
        "offset": whole,
        "recorded": {"type": "integer", "description": "Epoch milliseconds at the broker."},
        "model": {"anyOf": [_ref("Model"), {"type": "null"}], "description": "Null: taken off the registry."},
    }
    return {
        "LedgerBlock": {"type": "object", "required": list(block), "properties": {**block, "battles": battles}},
        "LedgerColumn": column,
        "LedgerNotice": {"type": "object", "required": list(notice), "properties": notice},
    }


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}
