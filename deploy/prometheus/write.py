"""Write the rules and their promtool tests as YAML, or check that the committed files are current.

python -m deploy.prometheus.write [--check] [--runbooks URL]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from deploy.prometheus.alerts import GROUPS
from deploy.prometheus.idle import EVERY, SERIES
from deploy.prometheus.recording import RECORDINGS
from deploy.prometheus.rule import Alert, Story, flat, runbook
from streams.contracts.alert import RUNBOOKS

HERE = Path(__file__).parent
RECORDING, ALERTING = "recording.yml", "alerts.yml"
_HEAD = "# Made by `python -m deploy.prometheus.write`; do not edit.\n"


def documents(runbooks: str = RUNBOOKS) -> dict[Path, str]:
    """Return the expected content of every file."""
    found: dict[Path, object] = {
        HERE / "rules" / RECORDING: {
            "groups": [
                {
                    "name": "isonomy-recording",
                    "rules": [{"record": each.record, "expr": flat(each.expr)} for each in RECORDINGS],
                }
            ]
        },
        HERE / "rules" / ALERTING: {
            "groups": [
                {"name": name, "rules": [_rule(alert, runbooks) for alert in group]} for name, group in GROUPS.items()
            ]
        },
        HERE / "tests" / "idle.yml": _tests([_idle()]),
    }
    for name, group in GROUPS.items():
        stories = [story for alert in group for story in _stories(alert, runbooks)]
        found[HERE / "tests" / f"{name.removeprefix('isonomy-')}.yml"] = _tests(stories)
    return {path: _HEAD + _dump(value) for path, value in found.items()}


def _rule(alert: Alert, runbooks: str) -> dict[str, object]:
    return {
        "alert": alert.full_name,
        "expr": flat(alert.expr),
        **({} if alert.wait == "0s" else {"for": alert.wait}),
        "labels": {"severity": alert.severity, **alert.labels},
        "annotations": {"summary": alert.summary, "runbook_url": runbook(alert.full_name, runbooks)},
    }


def _stories(alert: Alert, runbooks: str) -> Iterator[dict[str, object]]:
    for name, story in (("fires", alert.fires), ("quiet", alert.quiet)):
        told = [
            {
                "exp_labels": {"severity": alert.severity, **alert.labels, **labels},
                "exp_annotations": {"summary": summary, "runbook_url": runbook(alert.full_name, runbooks)},
            }
            for labels, summary in story.told
        ]
        yield _story(f"{alert.full_name} {name}", story, [alert.full_name], [story.at], told)


def _idle() -> dict[str, object]:
    every = [alert.full_name for group in GROUPS.values() for alert in group]
    return _story("an idle arena is left alone", Story(SERIES, ""), every, EVERY, [])


def _story(
    name: str, story: Story, alerts: Sequence[str], times: Sequence[str], told: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in story.series.items()],
        "alert_rule_test": [
            {"eval_time": time, "alertname": alert, "exp_alerts": told} for alert in alerts for time in times
        ],
    }


def _tests(stories: list[dict[str, object]]) -> dict[str, object]:
    rules = [f"../rules/{RECORDING}", f"../rules/{ALERTING}"]
    return {"rule_files": rules, "evaluation_interval": "1m", "tests": stories}


class _Plain(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML ships no types
    """A dumper that writes repeated values in full, without anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _dump(value: object) -> str:
    text: str = yaml.dump(value, Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Write stale files, or with `--check` name them and return 1."""
    parser = argparse.ArgumentParser(description="Write the Prometheus rules and their tests.")
    parser.add_argument("--check", action="store_true", help="Write nothing; exit with 1 and name what is stale.")
    parser.add_argument("--runbooks", default=RUNBOOKS, help="Where the runbooks are served.")
    given = parser.parse_args(arguments)
    stale = {
        path: text
        for path, text in documents(given.runbooks).items()
        if not path.exists() or path.read_text("utf-8") != text
    }
    for path, text in sorted(stale.items()):
        if not given.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8", newline="\n")
        print(f"{'stale' if given.check else 'written'}: {path.relative_to(HERE.parents[1])}")
    return 1 if given.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
