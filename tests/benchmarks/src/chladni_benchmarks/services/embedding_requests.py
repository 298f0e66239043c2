"""Requests for embeddings: of random images that are not noise, as raw pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni_contract.tensors import to_tensor


def random_images(count: int, *, side_pixels: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return images of smooth random colours with some noise: uint8 (count, 3, side, side)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 6, 6, 3), np.uint8)
    smooth = [
        Image.fromarray(image).resize((side_pixels, side_pixels), Image.Resampling.BICUBIC)
        for image in coarse
    ]
    images = np.stack([np.asarray(image) for image in smooth]) // 2
    images += rng.integers(0, 64, images.shape, np.uint8)
    return np.ascontiguousarray(np.moveaxis(images, 3, 1))


def embedding_request(images: NDArray[np.uint8]) -> bytes:
    """Return a request for the embeddings of raw images (N, 3, H, W), ready to be sent.

    Sending the same bytes repeatedly keeps the cost of the client low.
    """
    return similarity_pb2.EmbedImagesRequest(pixels=to_tensor(images)).SerializeToString()
