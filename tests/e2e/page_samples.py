"""Makes what the page offers visitors without a recording: sounds to try, and the image that each gives.

    make page-samples

Encodes the fixtures' samples as MP3, which every browser plays, starts the four services on free ports, makes
the image of each by the default recipe, and writes all of that with `samples.json` into the page's folder. To
be run again when the image model changes: `samples.json` names the model that made the images.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import httpx
from PIL import Image

from chladni_local.cluster import LocalCluster

REPOSITORY = Path(__file__).parents[2]
FIXTURES = REPOSITORY / "tests" / "fixtures"
TARGET = REPOSITORY / "services" / "gateway" / "src" / "chladni_gateway" / "web" / "samples"
MP3_BITS_PER_SECOND = 80_000
MP3_RATE_HZ = 32_000
THUMBNAIL_PIXELS = 256
WEBP_QUALITY = 80
TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Sample:
    """A sound to try.

    Attributes:
        source: File among the fixtures.
        title: Name for people.
        seed: Seed of its image.
    """

    source: str
    title: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its files, without a suffix."""
        return Path(self.source).stem.removeprefix("music_")


SAMPLES = (
    Sample("music_calm_major.ogg", "calm tune", 3),
    Sample("music_drum_loop.flac", "drum loop", 3),
    Sample("music_fast_minor.mp3", "fast tune in minor", 3),
    Sample("music_dark_drone.ogg", "deep drone", 3),
    Sample("speech_english.wav", "English voice", 3),
    Sample("speech_french.mp3", "French voice", 3),
    Sample("speech_german.ogg", "German voice", 3),
    Sample("machine_worn_bearing.flac", "worn bearing", 3),
)


MACHINES = (("gearbox_healthy.flac", "healthy gearbox"), ("gearbox_faulty.flac", "faulty gearbox"))


def encode_mp3(source: Path) -> bytes:
    """Return a recording as a mono MP3 file."""
    buffer = io.BytesIO()
    with av.open(str(source)) as given, av.open(buffer, "w", format="mp3") as made:
        stream = made.add_stream("libmp3lame", rate=MP3_RATE_HZ, layout="mono")
        stream.bit_rate = MP3_BITS_PER_SECOND
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=MP3_RATE_HZ)
        for frame in given.decode(audio=0):
            for part in resampler.resample(frame):
                made.mux(stream.encode(part))
        for part in resampler.resample(None):
            made.mux(stream.encode(part))
        made.mux(stream.encode(None))
    return buffer.getvalue()


def thumbnail(png: bytes) -> bytes:
    """Return an image as a small WebP file."""
    buffer = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.resize((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), Image.Resampling.LANCZOS).save(
        buffer, "WEBP", quality=WEBP_QUALITY, method=6
    )
    return buffer.getvalue()


def write_machines() -> list[dict[str, str]]:
    """Write the sounds of machines, which have no images; return their descriptions."""
    described = []
    for source, title in MACHINES:
        name = f"{Path(source).stem}.mp3"
        (TARGET / name).write_bytes(encode_mp3(FIXTURES / "machines" / source))
        described.append({"title": title, "audio": name})
    return described


def main() -> int:
    """Make the samples; return the exit status."""
    TARGET.mkdir(exist_ok=True)
    described = []
    model = ""
    with (
        TemporaryDirectory() as folder,
        LocalCluster(folder=Path(folder), ports="free") as cluster,
        httpx.Client(base_url=cluster.page_url, timeout=TIMEOUT_SECONDS) as http,
    ):
        for sample in SAMPLES:
            audio = encode_mp3(FIXTURES / "samples" / sample.source)
            answer = http.post(
                "/api/v1/generate",
                files={"file": (f"{sample.name}.mp3", audio)},
                data={"seed": str(sample.seed)},
            )
            made = answer.raise_for_status().json()
            model = made["provenance"]["model"]
            image = thumbnail(http.get(made["image_url"]).raise_for_status().content)
            (TARGET / f"{sample.name}.mp3").write_bytes(audio)
            (TARGET / f"{sample.name}.webp").write_bytes(image)
            described.append(
                {
                    "title": sample.title,
                    "audio": f"{sample.name}.mp3",
                    "image": f"{sample.name}.webp",
                    "seed": sample.seed,
                }
            )
            print(f"{sample.name}: {len(audio)} and {len(image)} bytes")
    manifest = json.dumps({"model": model, "samples": described, "machines": write_machines()}, indent=2)
    (TARGET / "samples.json").write_text(manifest + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
