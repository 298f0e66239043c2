"""Where each fuzzer begins: small inputs, made here, that come as far as honest ones do."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

import numpy as np
from PIL import Image

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.gateway.v1 import creation_pb2
from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni_contract.tensors import to_tensor
from chladni_fixtures.audio import encoded, melody

_SHORT_SECONDS: Final = 0.12
_BOUNDARY: Final = b"--b\r\n"


def _audio() -> list[bytes]:
    short = melody(_SHORT_SECONDS, rate_hz=8000)
    frames = b"\xff\xfb\x90\x00" + bytes(413)
    ogg = b"OggS\0\2" + bytes(20) + struct.pack("<B", 1) + b"\x1e\x01vorbis" + bytes(23)
    return [
        encoded(short, rate_hz=8000),
        encoded(short, rate_hz=8000, container="FLAC"),
        4 * frames,
        b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + 3 * frames,
        ogg,
        b"\0\0\0\x18ftypM4A \0\0\0\0M4A isom",
        b"#!AMR\n" + bytes(64),
        b"FORM\0\0\0\x2eAIFFCOMM\0\0\0\x12\0\1\0\0\0\x10\0\x10\x40\x0e\xac\x44" + bytes(20),
        b"caff\0\1\0\0desc" + bytes(40),
        b"\x1a\x45\xdf\xa3\x84webm",
    ]


def _images() -> list[bytes]:
    image = Image.fromarray((np.arange(16 * 16 * 3) % 256).astype(np.uint8).reshape(16, 16, 3))
    files = []
    for options in (
        {"format": "PNG"},
        {"format": "JPEG"},
        {"format": "JPEG", "progressive": True},
        {"format": "WEBP"},
        {"format": "GIF"},
    ):
        buffer = io.BytesIO()
        image.save(buffer, **options)
        files.append(buffer.getvalue())
    return files


def _texts() -> list[bytes]:
    provenance = json.dumps({"model": "embedded", "seed": "7", "steps": 4}).encode()
    texts = {
        b"tEXt": b"chladni\0" + provenance,
        b"zTXt": b"chladni\0\0" + zlib.compress(provenance),
        b"iTXt": b"chladni\0\1\0\0\0" + zlib.compress(provenance),
    }
    png, jpeg, _, webp, _ = _images()
    with_texts = [png[:33] + _chunk(kind, body) + png[33:] for kind, body in texts.items()]
    return [*with_texts, jpeg, webp, provenance]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _generation() -> list[bytes]:
    embedding = to_tensor(np.full(64, 0.5, np.float32))
    request = image_pb2.GenerateImageRequest(
        options=generation_pb2.GenerationOptions(steps=4, seed=1, width_pixels=128, height_pixels=128)
    )
    request.conditioning.audio_embedding.values.CopyFrom(embedding)
    request.conditioning.audio_embedding.space = "chladni-descriptors-v2"
    return [request.SerializeToString(), bytes(64), bytes(range(256))]


def _extraction() -> list[bytes]:
    clip = media_pb2.AudioClip(content=b"RIFF")
    samples = media_pb2.AudioClip(pcm=media_pb2.PcmAudio(samples=bytes(64), sample_rate_hz=8000))
    return [
        *(audio_pb2.ExtractFeaturesRequest(audio=one).SerializeToString() for one in (clip, samples)),
        bytes(range(256)),
    ]


def _similarity() -> list[bytes]:
    image = media_pb2.EncodedImage(content=_images()[0])
    return [
        similarity_pb2.EmbedImagesRequest(
            encoded=similarity_pb2.ImageBatch(images=[image])
        ).SerializeToString(),
        bytes(range(256)),
    ]


def _creation() -> list[bytes]:
    request = creation_pb2.CreateImageRequest(
        audio=media_pb2.AudioClip(content=b"RIFF"),
        options=generation_pb2.GenerationOptions(steps=4, seed=1),
    )
    return [request.SerializeToString(), bytes(range(256))]


def _forms() -> list[bytes]:
    fields = {
        "seed": b"7",
        "guidance_scale": b"2.5",
        "recipe": b"embedded",
        "request_id": b"",
        "prompt": b"a",
    }
    parts = [
        b'Content-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value)
        for name, value in fields.items()
    ]
    file = b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n'
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((4, 2, 2), np.float32))
    return [
        _BOUNDARY + _BOUNDARY.join([*parts, file]) + b"--b--\r\n",
        b"--b--\r\n",
        buffer.getvalue(),
    ]


def _json() -> list[bytes]:
    bodies = (
        {"prompts": ["A quiet garden."], "features": {"key": "A minor", "tempo_bpm": 108.2}},
        {"image_a": "x", "image_b": "y"},
        {"image_ids": [str(UUID(int=1)), str(UUID(int=2))]},
        {"image_id": str(UUID(int=1)), "limit": 4},
        {"sample_rate_hz": 48000},
        {"type": "flush"},
        {"type": "end"},
    )
    return [json.dumps(body).encode() for body in bodies]


def _tokens() -> list[bytes]:
    digest = b"alice read,write 2027-06-30 sha256:" + b"0f" * 32
    return [UUID(int=7).hex.encode(), b"A" * 65, b"eyJ1bnRpbCI6MX0.abc", digest, b"Bearer chladni_x", b""]


def _settings() -> list[bytes]:
    return [b"GRPC_PORT=1\nSTEPS=2", b"TRUSTED_PEERS=127.0.0.1,10.0.0.0/8\nFAILPOINTS=step.before=5%exit"]


def _errors() -> list[bytes]:
    return [b"\x08\x03\x12\x05wrong", bytes(range(128))]


SEEDS: Final[Mapping[str, Callable[[], list[bytes]]]] = {
    "audio": _audio,
    "images": _images,
    "provenance": _texts,
    "extraction-messages": _extraction,
    "generation-messages": _generation,
    "similarity-messages": _similarity,
    "creation-messages": _creation,
    "forms": _forms,
    "json": _json,
    "tokens": _tokens,
    "settings": _settings,
    "errors": _errors,
}
"""The first corpus of each target, by its name."""
