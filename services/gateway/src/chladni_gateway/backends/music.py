"""The client of the analysis of music, which audio-features serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.json_format import MessageToDict

from chladni.audio.v1 import music_service_pb2 as music_pb2
from chladni.audio.v1 import music_service_pb2_grpc as music_grpc
from chladni.media.v1 import media_pb2
from chladni_contract.music_features import to_features
from chladni_gateway.backends.messages import to_clip_message, to_duration
from chladni_runtime.client.backend_client import BackendClient
from chladni_runtime.security.credentials import CLEAR_TEXT, ChannelSecurity

if TYPE_CHECKING:
    from chladni_gateway.domain.audio import AudioClip, AudioProperties
    from chladni_runtime.execution.deadlines import Deadline

_SERVICE: Final = music_pb2.DESCRIPTOR.services_by_name["MusicService"]


class MusicClient(BackendClient["music_grpc.MusicServiceAsyncStub"]):
    """Analyses music; a `MusicAnalyzer`.

    Args:
        target: gRPC target of audio-features.
        security: What the connection is secured by.
    """

    def __init__(self, target: str, *, security: ChannelSecurity = CLEAR_TEXT) -> None:
        super().__init__(
            name="audio-features",
            service=_SERVICE,
            target=target,
            make_stub=music_grpc.MusicServiceStub,
            security=security,
        )

    async def forward(
        self, request: music_pb2.AnalyzeMusicRequest, deadline: Deadline
    ) -> music_pb2.AnalyzeMusicResponse:
        """Return the service's answer to a request.

        Raises:
            ChladniError: The clip cannot be used, music cannot be analysed there, or the service failed.
        """
        return await self.ask(lambda stub: stub.AnalyzeMusic, request, deadline)

    async def analyze_music(self, clip: AudioClip, deadline: Deadline) -> dict[str, Any]:
        """Return the analysis as JSON: the contract's fields, times in seconds as numbers, and `features`.

        Raises:
            ChladniError: The clip cannot be used, music cannot be analysed there, or the service failed.
        """
        request = music_pb2.AnalyzeMusicRequest(audio=to_clip_message(clip))
        response = await self.forward(request, deadline)
        if clip.source is not None:  # What the service saw are samples; callers sent the file.
            _set_audio(response.audio, clip.source.audio)
        fields: dict[str, Any] = _plain(
            MessageToDict(
                response,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
        )
        return fields | {"features": to_features(response.features)}


def _set_audio(message: media_pb2.AudioProperties, audio: AudioProperties) -> None:
    """Make a message say what was found in a file."""
    message.Clear()
    message.format = getattr(media_pb2, f"AUDIO_FORMAT_{audio.format.upper()}")
    message.sample_rate_hz = audio.sample_rate_hz
    message.channel_count = audio.channel_count
    message.duration.CopyFrom(to_duration(audio.duration_seconds))
    message.sha256 = audio.sha256
    if audio.start_seconds is not None:
        message.start.CopyFrom(to_duration(audio.start_seconds))


def _plain(value: Any, name: str = "") -> Any:
    """Replace durations such as "1.5s", known by their field's name, by seconds, and enum values by words."""
    if isinstance(value, dict):
        return {key: _plain(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part, name) for part in value]
    if isinstance(value, str) and name in _DURATIONS:
        return float(value.removesuffix("s"))
    if isinstance(value, str) and name in _ENUM_PREFIXES:
        return value.removeprefix(_ENUM_PREFIXES[name]).removeprefix("UNSPECIFIED").lower()
    return value


_DURATIONS: Final = frozenset({"time", "times", "downbeats", "start", "end", "duration", "processing_time"})
_ENUM_PREFIXES: Final = {"tonality": "TONALITY_", "course": "DYNAMICS_COURSE_"}
