"""The stores that the settings choose."""

from __future__ import annotations

import sys

import pytest

from chladni_contract.errors import UnavailableError
from chladni_gateway.config import GatewaySettings
from chladni_gateway.storage.image_folder import FolderImageStore
from chladni_gateway.stores import open_image_store


def ignore(_image_id):
    pass


async def test_images_are_in_the_folder_by_default(tmp_path):
    store = await open_image_store(GatewaySettings(image_folder=tmp_path), on_removed=ignore)
    assert isinstance(store, FolderImageStore)


async def test_a_bucket_without_its_package_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "chladni_gateway.storage.image_objects", raising=False)
    settings = GatewaySettings(session_key="k" * 32, image_bucket="images")
    with pytest.raises(UnavailableError, match=r"IMAGE_BUCKET needs .* install chladni-gateway\[s3\]"):
        await open_image_store(settings, on_removed=ignore)
