"""Every alert, group by group."""

from __future__ import annotations

from deploy.prometheus.alerts.arenas import ARENAS
from deploy.prometheus.alerts.deliveries import DELIVERIES
from deploy.prometheus.alerts.incoming import INCOMING
from deploy.prometheus.alerts.log import LOG
from deploy.prometheus.alerts.processes import PROCESSES
from deploy.prometheus.alerts.stream import STREAM

GROUPS = {
    "isonomy-stream": STREAM,
    "isonomy-incoming": INCOMING,
    "isonomy-log": LOG,
    "isonomy-processes": PROCESSES,
    "isonomy-deliveries": DELIVERIES,
    "isonomy-arenas": ARENAS,
}
ALERTS = tuple(alert for group in GROUPS.values() for alert in group)
