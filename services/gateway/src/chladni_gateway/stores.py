"""The stores that the settings choose: embedded ones by default, or shared ones for several gateways."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from chladni_contract.errors import Reason, UnavailableError
from chladni_gateway.rest.middleware.rate_limit import RateLimit, rate_limited
from chladni_gateway.rest.middleware.token_buckets import Rate
from chladni_gateway.storage.image_folder import FolderImageStore
from chladni_gateway.storage.image_records import utc_now
from chladni_gateway.storage.job_sqlite import SqliteJobStore
from chladni_gateway.storage.share_links import SHARE_FOLDER, ShareLinks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

    from chladni_gateway.access.principals import Principal
    from chladni_gateway.config import GatewaySettings
    from chladni_gateway.domain.storage.image_store import ImageStore
    from chladni_gateway.domain.storage.job_store import JobStore
    from chladni_gateway.domain.storage.rate_limiter import RateLimiter
    from chladni_gateway.storage.image_objects import ObjectImageStore
    from chladni_gateway.storage.job_redis import RedisJobStore


async def open_image_store(settings: GatewaySettings, *, on_removed: Callable[[UUID], None]) -> ImageStore:
    """Return the store of the images: the bucket if one is given, the folder otherwise.

    Args:
        settings: The settings.
        on_removed: Called with each image that is removed.

    Raises:
        UnavailableError: It cannot be used, or its package is not installed.
    """
    retention = timedelta(seconds=settings.image_retention_seconds)
    if not settings.image_bucket:
        return await asyncio.to_thread(
            FolderImageStore,
            settings.image_folder,
            max_images=settings.max_images,
            max_images_per_owner=settings.max_images_per_session,
            retention=retention,
            on_removed=on_removed,
        )
    objects = _required("chladni_gateway.storage.image_objects", setting="IMAGE_BUCKET", extra="s3")
    store: ObjectImageStore = objects.ObjectImageStore(
        objects.s3_bucket(
            settings.image_bucket,
            prefix=settings.image_bucket_prefix,
            endpoint=settings.image_bucket_endpoint,
            region=settings.image_bucket_region,
            access_key_id=settings.image_bucket_access_key_id.get_secret_value(),
            secret_access_key=settings.image_bucket_secret_access_key.get_secret_value(),
        ),
        max_images=settings.max_images,
        max_images_per_owner=settings.max_images_per_session,
        retention=retention,
        on_removed=on_removed,
    )
    await store.check()
    return store


async def open_job_store(settings: GatewaySettings) -> JobStore:
    """Return the store of the jobs: Redis if its address is given, a file of SQLite otherwise.

    Raises:
        UnavailableError: It cannot be used, or its package is not installed.
    """
    lease = timedelta(seconds=settings.job_lease_seconds)
    url = settings.redis_url.get_secret_value()
    if not url:
        path = settings.job_database or settings.image_folder / "jobs.sqlite3"
        return await asyncio.to_thread(SqliteJobStore, path, lease=lease)
    module = _required("chladni_gateway.storage.job_redis", setting="REDIS_URL", extra="redis")
    store: RedisJobStore = module.RedisJobStore(url, lease=lease)
    await store.open()
    return store


def open_share_links(settings: GatewaySettings) -> ShareLinks:
    """Return the links to shared images."""
    return ShareLinks(
        settings.image_folder / SHARE_FOLDER,
        max_links=settings.max_share_links,
        max_bytes=settings.max_share_bytes,
        now=utc_now,
    )


class CallLimiter:
    """Counts the calls of each owner over gRPC, while `counting`; requests over HTTP are not among them.

    Args:
        settings: The settings.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._limiter: RateLimiter | None = None

    @asynccontextmanager
    async def counting(self) -> AsyncIterator[None]:
        """Count while the context lasts, in Redis if its address is given.

        Raises:
            UnavailableError: The package of Redis is not installed.
        """
        self._limiter = open_rate_limiter(self._settings)
        try:
            yield
        finally:
            if self._limiter is not None:
                await self._limiter.close()

    async def check(self, principal: Principal) -> None:
        """Count a call of an owner.

        Raises:
            ChladniError: There are too many (RATE_LIMITED).
        """
        key = f"grpc {principal.owner}"
        if self._limiter and (wait_seconds := await self._limiter.take(client=key, host=key)):
            raise rate_limited(wait_seconds)


def open_rate_limiter(settings: GatewaySettings) -> RateLimiter | None:
    """Return what counts requests, in Redis if its address is given; `None` for no limit.

    Raises:
        UnavailableError: The package of Redis is not installed.
    """
    if settings.rate_limit_per_minute == 0:
        return None
    own = RateLimit(
        Rate(settings.rate_limit_per_minute, settings.rate_limit_burst),
        clients_per_host=settings.rate_limit_clients_per_host,
        clock=time.monotonic,
    )
    url = settings.redis_url.get_secret_value()
    if not url:
        return own
    module = _required("chladni_gateway.storage.rate_redis", setting="REDIS_URL", extra="redis")
    limiter: RateLimiter = module.RedisRateLimiter(
        url,
        per_minute=settings.rate_limit_per_minute,
        burst=settings.rate_limit_burst,
        clients_per_host=settings.rate_limit_clients_per_host,
        fallback=own,
    )
    return limiter


def _required(module: str, *, setting: str, extra: str) -> Any:
    """Return a module whose packages are installed with an extra alone.

    Raises:
        UnavailableError: They are not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UnavailableError(
            Reason.STORAGE_UNAVAILABLE,
            f"CHLADNI_GATEWAY_{setting} needs a package that is not installed; "
            f"install chladni-gateway[{extra}].",
        ) from error
