"""The stores that the settings choose: embedded ones by default, or shared ones for several gateways."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from chladni_contract.errors import Reason, UnavailableError
from chladni_gateway.rest.middleware.rate_limit import RateLimit
from chladni_gateway.rest.middleware.token_buckets import Rate
from chladni_gateway.storage.image_folder import FolderImageStore
from chladni_gateway.storage.image_records import utc_now
from chladni_gateway.storage.job_sqlite import SqliteJobStore
from chladni_gateway.storage.share_links import SHARE_FOLDER, ShareLinks

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

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


def own_rate_limiter(settings: GatewaySettings) -> RateLimit | None:
    """Return what counts requests in this process; `None` for no limit."""
    if settings.rate_limit_per_minute == 0:
        return None
    return RateLimit(
        Rate(settings.rate_limit_per_minute, settings.rate_limit_burst),
        clients_per_host=settings.rate_limit_clients_per_host,
        clock=time.monotonic,
    )


def open_rate_limiter(settings: GatewaySettings) -> RateLimiter | None:
    """Return what counts requests, in Redis if its address is given; `None` for no limit.

    Raises:
        UnavailableError: The package of Redis is not installed.
    """
    own = own_rate_limiter(settings)
    url = settings.redis_url.get_secret_value()
    if own is None or not url:
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
