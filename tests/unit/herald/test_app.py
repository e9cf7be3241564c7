"""The herald's own HTTP, before it has met Kafka."""

import httpx
import pytest

from services.herald.app import Fate, create_herald
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings


@pytest.mark.parametrize(
    ("method", "path", "status", "reason", "header"),
    [
        ("GET", "/readyz", 503, "unavailable", ("retry-after", "2")),
        ("GET", "/nothing", 404, "not_found", None),
        ("GET", "/healthz/", 404, "not_found", None),
        ("POST", "/metrics", 405, "method_not_allowed", ("allow", "GET, HEAD")),
    ],
)
async def test_what_it_cannot_answer_has_the_one_shape_of_errors(
    method: str, path: str, status: int, reason: str, header: tuple[str, str] | None
) -> None:
    app = create_herald(Settings(), Metrics(), Fate(), lambda: None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://herald") as asked:
        answer = await asked.request(method, path)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (status, reason)
        assert header is None or header in answer.headers.items()
        assert (await asked.get("/healthz")).json() == {"status": "up"}
        assert "isonomy_herald_subscriptions" in (await asked.get("/metrics")).text
