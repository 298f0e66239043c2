"""Reports of the ends of jobs: what a receiver can verify, and deliveries that go wrong."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from chladni_contract.errors import ChladniError, InvalidFieldsError, Reason, UnavailableError
from chladni_gateway.backends.webhooks import ForbiddenAddressError, UnreachableReceiverError
from chladni_gateway.creation import webhook_reports
from chladni_gateway.creation.job import Cancelled, Failed, Job
from chladni_gateway.creation.webhook_policy import WebhookPolicy
from chladni_gateway.creation.webhook_reports import DELAYS_SECONDS, WebhookReports, encode_report
from chladni_gateway.domain.request import Webhook
from chladni_gateway.domain.stages import Stage
from chladni_gateway.domain.storage.job_store import JobBounds, StoredEvent, StoredJob
from chladni_gateway.metrics import WebhookMetrics
from chladni_gateway.storage.job_sqlite import SqliteJobStore

OWN, SERVERS, OLDER = ("whsec_" + base64.b64encode(bytes([digit]) * 32).decode() for digit in (1, 2, 3))
POLICY = WebhookPolicy(("example.org", "*.example.com"), ("hooks.internal",), (SERVERS, OLDER))
URL = "https://example.org/hooks"
FAILED = Failed(ChladniError(Reason.OUT_OF_MEMORY, "Too big."))
BOUNDS = JobBounds(total=100, per_owner=100, per_caller=100)


class Receiver:
    """A client that keeps what it is to send, and answers as told."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def post(self, url, headers, body):
        self.requests.append((url, dict(headers), body))
        await self.may_answer.wait()
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    def __init__(self):
        self.now = datetime.now(UTC)

    def __call__(self):
        return self.now

    def seconds(self):
        return self.now.timestamp()


class Delivery:
    """A store of jobs, and what delivers its reports."""

    def __init__(self, receiver, policy=POLICY):
        self.clock = Clock()
        self.store = SqliteJobStore(None, clock=self.clock.seconds)
        self.receiver = receiver
        self.registry = CollectorRegistry()
        self.reports = WebhookReports(
            self.store, policy, WebhookMetrics(self.registry), now=self.clock, client=receiver
        )

    async def end_job(self, event=FAILED, url=URL, secret=""):
        job = Job(job_id=uuid.uuid4(), owner="ann", file_name="a.wav", created_at=self.clock.now)
        stored = StoredJob(
            job_id=job.job_id, owner="ann", caller="", created_at=self.clock.now, details=b"{}"
        )
        await self.store.add(stored, b"", BOUNDS)
        await self.store.claim()
        report = encode_report(job, event, Webhook(url, secret), now=self.clock.now)
        await self.store.append(job.job_id, StoredEvent(1, b"end"), finished_at=self.clock.now, report=report)
        return job

    async def look(self, after_seconds=0.0):
        self.clock.now += timedelta(seconds=after_seconds)
        await self.reports.send_due()
        while self.reports._sending:
            await asyncio.sleep(0)

    def attempts(self, outcome):
        name = "chladni_webhook_attempts_total"
        return self.registry.get_sample_value(name, {"outcome": outcome}) or 0


async def test_a_report_is_verified_by_the_standard_library_with_each_of_the_secrets():
    delivery = Delivery(Receiver())
    job = await delivery.end_job()
    await delivery.end_job(Cancelled(Stage.AUDIO_FEATURES), secret=OWN)
    await delivery.look()
    (url, headers, body), (_, others_headers, others_body) = delivery.receiver.requests
    assert url == URL
    for secret in (SERVERS, OLDER):
        report = Verifier(secret).verify(body, headers)
        assert report == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Verifier(OWN).verify(body, headers)
    assert headers["webhook-id"] == f"msg_{job.job_id}"
    assert report["type"] == "job.failed"
    assert report["data"]["job_id"] == str(job.job_id)
    assert report["data"]["error"] == {"reason": "OUT_OF_MEMORY", "message": "Too big."}
    cancelled = Verifier(OWN).verify(others_body, others_headers)
    assert (cancelled["type"], cancelled["data"]["stage"]) == ("job.cancelled", "audio_features")
    with pytest.raises(WebhookVerificationError):
        Verifier(SERVERS).verify(others_body, others_headers)
    await delivery.look(after_seconds=1e6)
    assert len(delivery.receiver.requests) == 2
    assert delivery.attempts("delivered") == 2


async def test_a_receiver_that_fails_is_tried_again_under_the_same_identifier_for_a_day():
    delivery = Delivery(Receiver(500, UnreachableReceiverError("silent"), 302, KeyError(), *[503] * 100))
    await delivery.end_job()
    await delivery.look()
    for delay in DELAYS_SECONDS:
        taken = len(delivery.receiver.requests)
        await delivery.look(after_seconds=0.8 * delay)
        assert len(delivery.receiver.requests) == taken
        await delivery.look(after_seconds=0.4 * delay)
        assert len(delivery.receiver.requests) == taken + 1
    await delivery.look(after_seconds=1e6)
    assert len(delivery.receiver.requests) == 1 + len(DELAYS_SECONDS)
    assert len({headers["webhook-id"] for _, headers, _ in delivery.receiver.requests}) == 1
    assert len({headers["webhook-timestamp"] for _, headers, _ in delivery.receiver.requests}) > 1
    assert (delivery.attempts("failed"), delivery.attempts("given_up")) == (len(DELAYS_SECONDS), 1)
    assert sum(DELAYS_SECONDS) >= 24 * 3600


@pytest.mark.parametrize("answer", [410, ForbiddenAddressError("private")])
async def test_what_is_refused_for_good_is_not_tried_again(answer):
    delivery = Delivery(Receiver(answer))
    await delivery.end_job()
    await delivery.look()
    await delivery.look(after_seconds=1e6)
    assert len(delivery.receiver.requests) == 1
    assert delivery.attempts("refused") == 1


async def test_a_host_that_is_not_allowed_any_more_gets_nothing():
    delivery = Delivery(Receiver(), WebhookPolicy(("other.org",), (), (SERVERS,)))
    await delivery.end_job()
    await delivery.look()
    assert not delivery.receiver.requests
    assert delivery.attempts("refused") == 1


async def test_a_gateway_that_dies_while_it_reports_is_followed_by_another():
    delivery = Delivery(Receiver())
    delivery.receiver.may_answer.clear()
    await delivery.end_job()
    async with delivery.reports.delivered(interval_seconds=60):
        while not delivery.receiver.requests:
            await asyncio.sleep(0.001)
    delivery.receiver.may_answer.set()
    await delivery.look(after_seconds=0.9 * webhook_reports.LEASE_SECONDS)
    assert len(delivery.receiver.requests) == 1
    await delivery.look(after_seconds=0.2 * webhook_reports.LEASE_SECONDS)
    assert len(delivery.receiver.requests) == 2
    assert delivery.attempts("delivered") == 1


async def test_a_slow_receiver_does_not_hold_up_the_others():
    delivery = Delivery(Receiver())
    delivery.receiver.may_answer.clear()
    for _ in range(4):
        await delivery.end_job()
    await delivery.end_job(url="https://a.example.com")
    await delivery.reports.send_due()
    await asyncio.sleep(0)
    assert [url for url, _, _ in delivery.receiver.requests] == [URL, URL, "https://a.example.com"]
    delivery.receiver.may_answer.set()
    await delivery.look()
    await delivery.look(after_seconds=1.5)
    assert delivery.attempts("delivered") == 5


async def test_a_store_that_does_not_answer_is_asked_again(caplog):
    delivery = Delivery(Receiver())
    await delivery.end_job()
    claim = delivery.store.claim_report

    async def refuse(**_):
        raise UnavailableError(Reason.STORAGE_UNAVAILABLE, "Gone.")

    delivery.store.claim_report = refuse
    await delivery.look()
    assert "cannot be read" in caplog.text
    delivery.store.claim_report = claim
    await delivery.look()
    assert delivery.attempts("delivered") == 1


@pytest.mark.parametrize(
    "url",
    [URL, "https://example.org:8443/a?b=c", "https://deep.er.example.com", "http://hooks.internal:8080/x"],
)
def test_addresses_that_are_allowed(url):
    POLICY.check(Webhook(url))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "is no address"),
        ("example.org/hooks", "is no address"),
        ("https://", "is no address"),
        ("https://example.org:port", "is no address"),
        ("https://example.org/a b", "is no address"),
        ("https://example.org/\r\nx: y", "is no address"),
        ("https://ex\u00e4mple.org", "is no address"),
        (f"https://example.org/{'a' * 2048}", "2068 characters"),
        ("http://example.org", "must begin with https"),
        ("ftp://hooks.internal", "must begin with https"),
        ("https://user:word@example.org", "neither a user"),
        ("https://user@hooks.internal", "neither a user"),
        ("https://example.org/#part", "nor a fragment"),
        ("https://example.org.evil.net", "none of those"),
        ("https://evilexample.com", "none of those"),
        ("https://example.com", "none of those"),
        ("https://127.0.0.1", "none of those"),
    ],
)
def test_addresses_that_are_refused(url, problem):
    with pytest.raises(InvalidFieldsError, match=problem) as caught:
        POLICY.check(Webhook(url))
    assert caught.value.violations[0].field == "webhook.url"


@pytest.mark.parametrize("host", ["93.184.216.34", "[2606:4700::1111]", "127.1", "2130706433", "0x7f.1"])
def test_no_address_stands_for_a_name_even_if_every_host_is_allowed(host):
    policy = WebhookPolicy(("*",), (), (SERVERS,))
    policy.check(Webhook("https://anything.net"))
    with pytest.raises(InvalidFieldsError, match="must name its host"):
        policy.check(Webhook(f"https://{host}/"))


def test_without_settings_there_are_no_webhooks():
    with pytest.raises(InvalidFieldsError, match="turned off"):
        WebhookPolicy().check(Webhook(URL, OWN))


@pytest.mark.parametrize("secret", ["secret", "whsec_", "whsec_" + "A" * 28, "whsec_" + "A" * 88, "whsec_=?"])
def test_a_secret_must_be_one_and_there_must_be_one(secret):
    with pytest.raises(InvalidFieldsError, match="base64 of 24 to 64 bytes") as caught:
        POLICY.check(Webhook(URL, secret))
    assert caught.value.violations[0].field == "webhook.secret"
    without = replace(POLICY, secrets=())
    without.check(Webhook(URL, OWN))
    with pytest.raises(InvalidFieldsError, match="is missing"):
        without.check(Webhook(URL))
