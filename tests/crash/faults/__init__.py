"""The catalogue of faults: each with a name, what it needs, what it does, and how it is mended."""

from tests.crash.faults import brokers, operators, processes, stores
from tests.crash.faults.catalogue import CATALOGUE, Fault, available

__all__ = ["CATALOGUE", "Fault", "available", "brokers", "operators", "processes", "stores"]
