"""Images: made, fetched, listed and deleted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Unpack

from chladni.gateway.v1 import image_service_pb2 as gateway_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as gateway_grpc
from chladni_client._calls.base import Calls
from chladni_client._calls.streams import created_events, downloaded, with_file
from chladni_client._messages import image_results, requests
from chladni_client._transport.retries import Attempts
from chladni_client.types.events import CreationEvent, ImageCreated

if TYPE_CHECKING:
    from chladni_client.types.audio import AudioInput
    from chladni_client.types.images import CreatedImage, Image, StoredImage
    from chladni_client.types.options import CreationOptions


class ImageCalls(Calls):
    """Creation and the images of a session."""

    async def create_image(
        self,
        audio: AudioInput | None,
        *,
        sample_rate_hz: int | None = None,
        request_id: str | None = None,
        timeout_seconds: float | None = None,
        on_event: Callable[[CreationEvent], object] | None = None,
        **options: Unpack[CreationOptions],
    ) -> CreatedImage:
        """Return the image of a sound.

        Args:
            audio: A recording in any usual format: its path, its bytes or an open binary file. Or
                an array of samples, (n,) or (n, channels): floats in [-1, 1], or uint8, int16 or int32.
                `None` if the option `initial_latents` takes its place.
            sample_rate_hz: Sample rate of an array of samples; absent for a file.
            request_id: UUID of the request: with the same one, an equal request within an hour gives the same
                image. Drawn if absent, and the same for all attempts of this call.
            timeout_seconds: Time for the call; if absent, `Timeouts.creation_seconds`, and for a large file
                of which a part is chosen also a second for each 125 kB.
            on_event: Called on the event loop with each event on the way; what it raises ends the call. To
                get previews, or to do more than report, use `stream_image`.
            **options: What is chosen for the image: recipe, seed, steps, prompt and more; see
                `CreationOptions`.
        """
        requests.check_option_names("create_image", options)
        events = self.stream_image(
            audio,
            sample_rate_hz=sample_rate_hz,
            request_id=request_id,
            timeout_seconds=timeout_seconds,
            **options,
        )
        async with aclosing(events):
            async for event in events:
                last = event
                if on_event is not None:
                    on_event(event)
        assert isinstance(last, ImageCreated), "stream_image ends with an image or raises"  # noqa: S101
        return last.image

    async def stream_image(
        self,
        audio: AudioInput | None,
        *,
        sample_rate_hz: int | None = None,
        preview_interval_steps: int = 0,
        preview_size_pixels: int | None = None,
        request_id: str | None = None,
        timeout_seconds: float | None = None,
        **options: Unpack[CreationOptions],
    ) -> AsyncGenerator[CreationEvent, None]:
        """Yield what happens on the way from a sound to its image, and the image last.

        Leaving the loop early stops the work in every service; `contextlib.aclosing` does so at once.

        Args:
            audio: As for `create_image`.
            sample_rate_hz: Likewise.
            preview_interval_steps: Steps between previews in `Progress`; 0 for none.
            preview_size_pixels: Longer side of a preview, 16 to 512; the server's default if absent.
            request_id: As for `create_image`.
            timeout_seconds: Time for the call; `Timeouts.creation_seconds` if absent.
            **options: As for `create_image`.
        """
        requests.check_option_names("stream_image", options)
        clip, file = await requests.to_clip_and_file(audio, sample_rate_hz, options)
        request = requests.to_create_image_request(
            clip,
            preview_interval_steps=preview_interval_steps,
            preview_size_pixels=preview_size_pixels,
            request_id=request_id,
            **options,
        )
        attempts = self._attempts_of_creation(timeout_seconds, file)
        async with aclosing(created_events(self._gateway, request, attempts, file=file)) as events:
            async for event in events:
                yield await with_file(self._gateway, event, attempts)

    async def get_image(self, image_id: str, *, timeout_seconds: float | None = None) -> StoredImage:
        """Return an image that the server keeps, with its description.

        A large file comes in parts, which go on after a lost connection.

        Args:
            image_id: Identifier from `CreatedImage.image_id`.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        attempts = Attempts(self._retry_policy, self._call_seconds(timeout_seconds))
        request = gateway_pb2.GetImageRequest(image_id=image_id)
        response = await self._call(self._image_stub.GetImage, request, attempts.remaining_seconds)
        content = response.file.content or await downloaded(self._gateway, image_id, attempts)
        return image_results.to_stored_image(response, content)

    async def list_images(
        self, *, page_size: int | None = None, timeout_seconds: float | None = None
    ) -> AsyncGenerator[Image, None]:
        """Yield the images of this session, the newest first.

        Args:
            page_size: Images that are asked for at once, 1 to 200; 100 if absent.
            timeout_seconds: Time for each page; `Timeouts.call_seconds` if absent.
        """
        request = gateway_pb2.ListImagesRequest(page_size=requests.to_count("page_size", page_size))
        pages = self._pages(self._image_stub.ListImages, request, timeout_seconds)
        async with aclosing(pages):
            async for page in pages:
                for image in page.images:
                    yield image_results.to_image(image)

    async def pin_image(
        self, image_id: str, *, is_pinned: bool = True, timeout_seconds: float | None = None
    ) -> Image:
        """Pin an image of this session and return its description: neither limits nor time remove it then.

        Half of the images of a session can be pinned.

        Args:
            image_id: Identifier of the image.
            is_pinned: False takes the pin away: if the image's time has come, it expires at once.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = gateway_pb2.PinImageRequest(image_id=image_id, unpin=not is_pinned)
        response = await self._call(self._image_stub.PinImage, request, timeout_seconds)
        return image_results.to_image(response.image)

    async def delete_image(self, image_id: str, *, timeout_seconds: float | None = None) -> None:
        """Delete an image of this session.

        Args:
            image_id: Identifier of the image.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = gateway_pb2.DeleteImageRequest(image_id=image_id)
        await self._call(self._image_stub.DeleteImage, request, timeout_seconds)

    @property
    def _image_stub(self) -> gateway_grpc.ImageServiceAsyncStub:
        return gateway_grpc.ImageServiceStub(self._gateway.channel)
