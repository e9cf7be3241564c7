"""The catalogue of faults: each has a name, its requirements, its action and its repair."""

from tests.crash.faults import brokers, operators, processes, stores
from tests.crash.faults.catalogue import CATALOGUE, Fault, available

__all__ = ["CATALOGUE", "Fault", "available", "brokers", "operators", "processes", "stores"]
