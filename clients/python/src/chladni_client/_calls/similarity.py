"""How alike images are, and how well they fit audio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chladni.gateway.v1 import image_service_pb2 as gateway_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as gateway_grpc
from chladni_client._calls.base import Calls
from chladni_client._messages import image_results, requests

if TYPE_CHECKING:
    from chladni_client._messages.requests import ImageSource
    from chladni_client.types.similarity import Alignment, Comparison, ComparisonMatrix, Match


class SimilarityCalls(Calls):
    """Comparison, search and alignment."""

    async def compare_images(
        self, first: ImageSource, second: ImageSource, *, timeout_seconds: float | None = None
    ) -> Comparison:
        """Return how alike two images are.

        Args:
            first: A `CreatedImage` or `StoredImage`, the identifier of one, or an image file: its path,
                its bytes or an open binary file. A text in the form of a UUID is an identifier, any
                other text a path.
            second: Likewise.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = gateway_pb2.CompareImagesRequest(
            first=await requests.to_image_reference(first),
            second=await requests.to_image_reference(second),
        )
        response = await self._call(self._similarity_stub.CompareImages, request, timeout_seconds)
        return image_results.to_comparison(response)

    async def compare_image_matrix(
        self, image_ids: Sequence[str], *, timeout_seconds: float | None = None
    ) -> ComparisonMatrix:
        """Return how alike each of several images of the server is to each other.

        Args:
            image_ids: Identifiers of 2 to 24 different images.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = gateway_pb2.CompareImageMatrixRequest(image_ids=image_ids)
        response = await self._call(self._similarity_stub.CompareImageMatrix, request, timeout_seconds)
        return image_results.to_comparison_matrix(response)

    async def search_images(
        self, image_id: str, max_results: int | None = None, *, timeout_seconds: float | None = None
    ) -> tuple[Match, ...]:
        """Return the images of this session that are most like a given one, best first.

        Args:
            image_id: Identifier of the image that the others are to be like; it is not among the results.
            max_results: Images at most, 1 to 50; 10 if absent.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = gateway_pb2.SearchImagesRequest(
            image_id=image_id, max_results=requests.to_count("max_results", max_results)
        )
        response = await self._call(self._similarity_stub.SearchImages, request, timeout_seconds)
        return tuple(map(image_results.to_match, response.matches))

    async def score_alignment(
        self, image_id: str, audio_of: str | None = None, *, timeout_seconds: float | None = None
    ) -> Alignment:
        """Return how well an image of this session fits audio.

        Args:
            image_id: Identifier of the image.
            audio_of: Identifier of the image of this session whose audio it is; the image itself if absent.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = gateway_pb2.ScoreAlignmentRequest(image_id=image_id, audio_of=audio_of or "")
        response = await self._call(self._similarity_stub.ScoreAlignment, request, timeout_seconds)
        return image_results.to_alignment(response)

    @property
    def _similarity_stub(self) -> gateway_grpc.ImageServiceAsyncStub:
        return gateway_grpc.ImageServiceStub(self._gateway.channel)
