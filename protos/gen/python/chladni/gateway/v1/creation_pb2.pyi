from chladni.audio.v1 import audio_feature_service_pb2 as _audio_feature_service_pb2
from chladni.errors.v1 import warning_pb2 as _warning_pb2
from chladni.gateway.v1 import image_pb2 as _image_pb2
from chladni.generation.v1 import generation_pb2 as _generation_pb2
from chladni.media.v1 import media_pb2 as _media_pb2
from chladni.tensor.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_VALIDATION: _ClassVar[Stage]
    STAGE_AUDIO_FEATURES: _ClassVar[Stage]
    STAGE_IMAGE_GENERATION: _ClassVar[Stage]
    STAGE_STORAGE: _ClassVar[Stage]
    STAGE_SIMILARITY: _ClassVar[Stage]
STAGE_UNSPECIFIED: Stage
STAGE_VALIDATION: Stage
STAGE_AUDIO_FEATURES: Stage
STAGE_IMAGE_GENERATION: Stage
STAGE_STORAGE: Stage
STAGE_SIMILARITY: Stage

class CreateImageRequest(_message.Message):
    __slots__ = ("audio", "recipe", "options", "audioldm", "spectrogram", "latent_noise", "music_prompts", "clap_unclip", "request_id")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    AUDIOLDM_FIELD_NUMBER: _ClassVar[int]
    SPECTROGRAM_FIELD_NUMBER: _ClassVar[int]
    LATENT_NOISE_FIELD_NUMBER: _ClassVar[int]
    MUSIC_PROMPTS_FIELD_NUMBER: _ClassVar[int]
    CLAP_UNCLIP_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioClip
    recipe: str
    options: _generation_pb2.GenerationOptions
    audioldm: AudioLdmOptions
    spectrogram: SpectrogramOptions
    latent_noise: LatentNoiseOptions
    music_prompts: MusicPromptsOptions
    clap_unclip: ClapUnclipOptions
    request_id: str
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., recipe: _Optional[str] = ..., options: _Optional[_Union[_generation_pb2.GenerationOptions, _Mapping]] = ..., audioldm: _Optional[_Union[AudioLdmOptions, _Mapping]] = ..., spectrogram: _Optional[_Union[SpectrogramOptions, _Mapping]] = ..., latent_noise: _Optional[_Union[LatentNoiseOptions, _Mapping]] = ..., music_prompts: _Optional[_Union[MusicPromptsOptions, _Mapping]] = ..., clap_unclip: _Optional[_Union[ClapUnclipOptions, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class AudioLdmOptions(_message.Message):
    __slots__ = ("prompt", "negative_prompt", "strength")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    negative_prompt: str
    strength: float
    def __init__(self, prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., strength: _Optional[float] = ...) -> None: ...

class SpectrogramOptions(_message.Message):
    __slots__ = ("prompt", "negative_prompt", "strength")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    negative_prompt: str
    strength: float
    def __init__(self, prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., strength: _Optional[float] = ...) -> None: ...

class LatentNoiseOptions(_message.Message):
    __slots__ = ("prompt", "negative_prompt", "noise_mode", "noise_weight", "calibration", "initial_latents")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    NOISE_MODE_FIELD_NUMBER: _ClassVar[int]
    NOISE_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    INITIAL_LATENTS_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    negative_prompt: str
    noise_mode: _generation_pb2.NoiseMode
    noise_weight: float
    calibration: str
    initial_latents: _tensor_pb2.Tensor
    def __init__(self, prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., noise_mode: _Optional[_Union[_generation_pb2.NoiseMode, str]] = ..., noise_weight: _Optional[float] = ..., calibration: _Optional[str] = ..., initial_latents: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class MusicPromptsOptions(_message.Message):
    __slots__ = ("prompt", "negative_prompt")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    negative_prompt: str
    def __init__(self, prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ...) -> None: ...

class ClapUnclipOptions(_message.Message):
    __slots__ = ("prompt", "negative_prompt")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    negative_prompt: str
    def __init__(self, prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ...) -> None: ...

class CreationAccepted(_message.Message):
    __slots__ = ("operation_id", "seed", "session_token")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SESSION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    seed: int
    session_token: str
    def __init__(self, operation_id: _Optional[str] = ..., seed: _Optional[int] = ..., session_token: _Optional[str] = ...) -> None: ...

class AudioAnalyzed(_message.Message):
    __slots__ = ("audio", "descriptors", "warnings")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTORS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioProperties
    descriptors: _containers.RepeatedCompositeFieldContainer[_audio_feature_service_pb2.Descriptor]
    warnings: _containers.RepeatedCompositeFieldContainer[_warning_pb2.Warning]
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioProperties, _Mapping]] = ..., descriptors: _Optional[_Iterable[_Union[_audio_feature_service_pb2.Descriptor, _Mapping]]] = ..., warnings: _Optional[_Iterable[_Union[_warning_pb2.Warning, _Mapping]]] = ...) -> None: ...

class ImageDrafted(_message.Message):
    __slots__ = ("image", "provenance")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    image: _media_pb2.EncodedImage
    provenance: _generation_pb2.Provenance
    def __init__(self, image: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., provenance: _Optional[_Union[_generation_pb2.Provenance, _Mapping]] = ...) -> None: ...

class RecipeFellBack(_message.Message):
    __slots__ = ("reason", "fallback")
    REASON_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    reason: str
    fallback: str
    def __init__(self, reason: _Optional[str] = ..., fallback: _Optional[str] = ...) -> None: ...

class ImageCreated(_message.Message):
    __slots__ = ("image", "file")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    image: _image_pb2.Image
    file: _media_pb2.EncodedImage
    def __init__(self, image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., file: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ...) -> None: ...

class CreateImageResponse(_message.Message):
    __slots__ = ("stage", "part", "accepted", "analyzed", "queued", "started", "progress", "drafted", "fell_back", "created", "heartbeat")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ANALYZED_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    DRAFTED_FIELD_NUMBER: _ClassVar[int]
    FELL_BACK_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    part: str
    accepted: CreationAccepted
    analyzed: AudioAnalyzed
    queued: _generation_pb2.GenerationQueued
    started: _generation_pb2.GenerationStarted
    progress: _generation_pb2.GenerationProgress
    drafted: ImageDrafted
    fell_back: RecipeFellBack
    created: ImageCreated
    heartbeat: _generation_pb2.Heartbeat
    def __init__(self, stage: _Optional[_Union[Stage, str]] = ..., part: _Optional[str] = ..., accepted: _Optional[_Union[CreationAccepted, _Mapping]] = ..., analyzed: _Optional[_Union[AudioAnalyzed, _Mapping]] = ..., queued: _Optional[_Union[_generation_pb2.GenerationQueued, _Mapping]] = ..., started: _Optional[_Union[_generation_pb2.GenerationStarted, _Mapping]] = ..., progress: _Optional[_Union[_generation_pb2.GenerationProgress, _Mapping]] = ..., drafted: _Optional[_Union[ImageDrafted, _Mapping]] = ..., fell_back: _Optional[_Union[RecipeFellBack, _Mapping]] = ..., created: _Optional[_Union[ImageCreated, _Mapping]] = ..., heartbeat: _Optional[_Union[_generation_pb2.Heartbeat, _Mapping]] = ...) -> None: ...
