"""Reports of the ends of jobs to webhooks: what they say, and their delivery.

A report is stored in the step that ends its job, so that neither is without the other, and removed once its
receiver has it. https://www.standardwebhooks.com says how it looks.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from chladni_contract.errors import ChladniError
from chladni_gateway.backends.webhooks import ForbiddenAddressError, UnreachableReceiverError, WebhookClient
from chladni_gateway.creation.job import Cancelled, Done, Failed, Job
from chladni_gateway.creation.webhook_policy import WebhookPolicy, secret_bytes
from chladni_gateway.domain.request import Webhook
from chladni_runtime.background import repeating

if TYPE_CHECKING:
    from chladni_gateway.domain.storage.job_store import JobStore, StoredReport
    from chladni_gateway.metrics import WebhookMetrics

DELAYS_SECONDS: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 30_000)
"""Times between the attempts to deliver a report, a day in all."""
LEASE_SECONDS: Final = 60.0
"""Time after which another gateway tries to deliver what this one has not."""
_JITTER: Final = 0.1
_LOOK_SECONDS: Final = 1.0
_MAX_CONCURRENT: Final = 8
_MAX_CLAIMS: Final = 100
"""Reports that are claimed at one look, those of busy receivers included."""
_BUSY_SECONDS: Final = 1.0
_MAX_PER_HOST: Final = 2

_log = logging.getLogger(__name__)


class Poster(Protocol):
    """Sends requests, as `WebhookClient` does."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Send a request, and return the status of the answer."""
        ...


def encode_report(job: Job, event: Done | Failed | Cancelled, webhook: Webhook, *, now: datetime) -> bytes:
    """Return the report of the end of a job, as the store keeps it.

    Args:
        job: The job, before the event.
        event: How it ends.
        webhook: Where to report it.
        now: When it ends.
    """
    status = job.status.after(event)
    data: dict[str, Any] = {
        "job_id": str(job.job_id),
        "state": status.state.value,
        "stage": status.stage,
        "display_name": job.file_name,
        "create_time": job.created_at.isoformat(),
        "end_time": now.isoformat(),
    }
    match event:
        case Done(record):
            data["image"] = {"image_id": str(record.image_id), "sha256": record.sha256}
        case Failed(error):
            data["error"] = {"reason": error.reason.value, "message": error.message}
        case Cancelled():
            pass
    body = {"type": f"job.{status.state.value}", "timestamp": now.isoformat(), "data": data}
    kept = {"url": webhook.url, "secret": webhook.secret, "body": json.dumps(body)}
    return json.dumps(kept).encode()


def signed_headers(
    secrets: tuple[str, ...], *, message_id: str, now: datetime, body: bytes
) -> dict[str, str]:
    """Return the headers by which a receiver knows who sent a report, and when."""
    timestamp = str(int(now.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = (
        base64.b64encode(hmac.digest(secret_bytes(secret), signed, hashlib.sha256)).decode()
        for secret in secrets
    )
    return {
        "content-type": "application/json",
        "user-agent": "chladni-gateway",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


class WebhookReports:
    """Delivers the reports of all gateways that share a store. One event loop owns it.

    Args:
        store: Keeps the reports.
        policy: What the operator allows now; what it does not allow any more is not sent.
        metrics: Counts the attempts.
        now: Clock for dates.
        client: Sends them; a `WebhookClient` if absent.
    """

    def __init__(
        self,
        store: JobStore,
        policy: WebhookPolicy,
        metrics: WebhookMetrics,
        *,
        now: Callable[[], datetime],
        client: Poster | None = None,
    ) -> None:
        self._store = store
        self._client = client or WebhookClient(may_be_private=policy.is_private)
        self._policy = policy
        self._metrics = metrics
        self._now = now
        self._sending: dict[asyncio.Task[None], str] = {}

    @asynccontextmanager
    async def delivered(self, *, interval_seconds: float = _LOOK_SECONDS) -> AsyncIterator[None]:
        """Deliver reports while the context lasts; those in progress then are tried again later."""
        try:
            async with repeating(self.send_due, interval_seconds=interval_seconds):
                yield
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def send_due(self) -> None:
        """Begin to deliver the reports that are due, as many as may be in progress at a time."""
        try:
            for _ in range(_MAX_CLAIMS):
                if len(self._sending) >= _MAX_CONCURRENT:
                    return
                report = await self._store.claim_report(lease_seconds=LEASE_SECONDS)
                if report is None:
                    return
                kept = json.loads(report.content)
                host = urlsplit(kept["url"]).hostname or ""
                if list(self._sending.values()).count(host) >= _MAX_PER_HOST:
                    # A slow receiver must not hold up the others.
                    await self._store.postpone_report(report.job_id, seconds=_BUSY_SECONDS, is_attempt=False)
                    continue
                task = asyncio.create_task(self._send(report, kept, host))
                self._sending[task] = host
                task.add_done_callback(self._end)
        except ChladniError as error:
            _log.warning("the reports to webhooks cannot be read now", extra={"detail": error.message})

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a report to a webhook failed unexpectedly", exc_info=error)

    async def _send(self, report: StoredReport, kept: dict[str, str], host: str) -> None:
        webhook = Webhook(kept["url"], kept["secret"])
        outcome = await self._try(report.job_id, webhook, kept["body"].encode())
        is_over = outcome in {"delivered", "refused"}
        if not is_over and report.attempt > len(DELAYS_SECONDS):
            is_over, outcome = True, "given_up"
        self._metrics.attempts.labels(outcome).inc()
        if outcome != "delivered":
            _log.warning(
                "a report to a webhook was not delivered",
                extra={
                    "job_id": str(report.job_id), "host": host, "attempt": report.attempt, "outcome": outcome
                },
            )  # fmt: skip
        try:
            if is_over:
                await self._store.remove_report(report.job_id)
            else:
                seconds = DELAYS_SECONDS[report.attempt - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
                await self._store.postpone_report(report.job_id, seconds=seconds)
        except ChladniError as error:  # It is tried again; receivers know it by its identifier.
            _log.warning("the end of a report cannot be stored", extra={"detail": error.message})

    async def _try(self, job_id: UUID, webhook: Webhook, body: bytes) -> str:
        """Return how an attempt ended: delivered, refused for good, or failed."""
        try:
            self._policy.check(webhook)
            headers = signed_headers(
                self._policy.secrets_of(webhook), message_id=f"msg_{job_id}", now=self._now(), body=body
            )
            status = await self._client.post(webhook.url, headers, body)
        except (ChladniError, ForbiddenAddressError) as error:
            _log.warning("a webhook may not be called", extra={"job_id": str(job_id), "detail": str(error)})
            return "refused"
        except UnreachableReceiverError as error:
            _log.info("a webhook did not answer", extra={"job_id": str(job_id), "detail": str(error)})
            return "failed"
        except Exception:  # noqa: BLE001 - or the report would be tried for ever, without being counted
            _log.exception("a report to a webhook failed unexpectedly", extra={"job_id": str(job_id)})
            return "failed"
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return "delivered"
        return "refused" if status == HTTPStatus.GONE else "failed"
