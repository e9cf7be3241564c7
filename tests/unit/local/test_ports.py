"""Ports are free or their holder is named."""

import os
import re
import socket

import pytest

from services.local.ports import FIRST, HOST, LAST, free_port, is_free, require_free
from services.local.process import StartError


def test_a_free_port_is_outside_the_range_of_outgoing_connections():
    port = free_port()
    assert FIRST <= port <= LAST < 32_768
    require_free(port, "anything")


def test_a_held_port_is_reported_with_its_holder():
    with socket.create_server((HOST, 0)) as held:
        port = held.getsockname()[1]
        assert not is_free(port)
        expected = re.escape(f"broker cannot listen on {HOST}:{port}: it is held by process {os.getpid()} (")
        with pytest.raises(StartError, match=expected):
            require_free(port, "broker")


def test_a_port_held_on_all_addresses_is_not_free():
    with socket.create_server(("0.0.0.0", 0)) as held:
        assert not is_free(held.getsockname()[1])
