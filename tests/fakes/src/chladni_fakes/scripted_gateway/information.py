"""The scripted gateway: its machine listening, and what it says of itself."""

from __future__ import annotations

import grpc

from chladni.gateway.v1 import anomaly_service_pb2 as gateway_anomaly_pb2
from chladni.gateway.v1 import anomaly_service_pb2_grpc as anomaly_grpc
from chladni.gateway.v1 import server_service_pb2
from chladni.gateway.v1 import server_service_pb2_grpc as server_grpc
from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni_fakes.scripted_gateway.messages import png_of
from chladni_fakes.scripted_gateway.script import Script


class ScriptedAnomaly(anomaly_grpc.AnomalyServiceServicer):
    """The gateway's machine listening; `normal_sets` of the script are those of the server."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def ScoreAnomaly(
        self, request: gateway_anomaly_pb2.ScoreAnomalyRequest, context: grpc.ServicerContext
    ) -> gateway_anomaly_pb2.ScoreAnomalyResponse:
        with self.script.answering(request, context):
            scored = anomaly_pb2.ScoreAnomalyResponse(
                distance=5.5,
                score=11.5,
                percentile=99.5,
                label=anomaly_pb2.ANOMALY_LABEL_NEEDS_MAINTENANCE,
                normal_set=request.score.normal_set or "default",
                backend=request.score.backend or "fusion",
                window_count=1,
            )
            scored.attributes.add(
                name="roughness", z_score=4.5, description="Rougher than normal.", value=0.3, unit="1"
            )
            if request.score.with_error_map:
                scored.error_map.content = png_of()
            return gateway_anomaly_pb2.ScoreAnomalyResponse(scored=scored)

    def CreateNormalSet(
        self, request: gateway_anomaly_pb2.CreateNormalSetRequest, context: grpc.ServicerContext
    ) -> gateway_anomaly_pb2.CreateNormalSetResponse:
        with self.script.answering(request, context):
            create = request.create
            made = anomaly_pb2.NormalSet(
                name=create.name,
                description=create.description,
                clip_count=len(create.audio) + len(create.spectrograms),
                window_count=32,
                encoder=create.encoder or "mel-statistics",
                backend=create.backend or "fusion",
            )
            made.create_time.FromSeconds(1_800_000_000)
            self.script.normal_sets.append(made)
            return gateway_anomaly_pb2.CreateNormalSetResponse(normal_set=made)

    def GetNormalSet(
        self, request: gateway_anomaly_pb2.GetNormalSetRequest, context: grpc.ServicerContext
    ) -> gateway_anomaly_pb2.GetNormalSetResponse:
        with self.script.answering(request, context):
            (found,) = (item for item in self.script.normal_sets if item.name == request.name)
            return gateway_anomaly_pb2.GetNormalSetResponse(normal_set=found)

    def ListNormalSets(
        self, request: gateway_anomaly_pb2.ListNormalSetsRequest, context: grpc.ServicerContext
    ) -> gateway_anomaly_pb2.ListNormalSetsResponse:
        with self.script.answering(request, context):
            number = int(request.page_token or 0)
            count = len(self.script.normal_sets)
            return gateway_anomaly_pb2.ListNormalSetsResponse(
                normal_sets=self.script.normal_sets[number : number + 1],
                next_page_token=str(number + 1) if number + 1 < count else "",
            )

    def DeleteNormalSet(
        self, request: gateway_anomaly_pb2.DeleteNormalSetRequest, context: grpc.ServicerContext
    ) -> gateway_anomaly_pb2.DeleteNormalSetResponse:
        with self.script.answering(request, context):
            return gateway_anomaly_pb2.DeleteNormalSetResponse(deleted=True)


class ScriptedServer(server_grpc.ServerServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    def GetServerInfo(
        self, request: server_service_pb2.GetServerInfoRequest, context: grpc.ServicerContext
    ) -> server_service_pb2.GetServerInfoResponse:
        with self.script.answering(request, context):
            response = server_service_pb2.GetServerInfoResponse(
                version="0.1.0", api_packages=["chladni.gateway.v1"]
            )
            limits = response.limits
            limits.max_audio_bytes, limits.max_matrix_images = 10, 24
            limits.max_audio_duration.FromSeconds(30)
            limits.image_retention.FromSeconds(86_400)
            limits.seed.min, limits.seed.max = 0, 2**32 - 1
            response.services.add(name="audio-features", state=server_service_pb2.SERVICE_STATE_HEALTHY)
            response.services.add(name="similarity", state=server_service_pb2.SERVICE_STATE_LOADING)
            return response

    def ListRecipes(
        self, request: server_service_pb2.ListRecipesRequest, context: grpc.ServicerContext
    ) -> server_service_pb2.ListRecipesResponse:
        with self.script.answering(request, context):
            return server_service_pb2.ListRecipesResponse(
                recipes=[
                    server_service_pb2.Recipe(
                        name="descriptors",
                        description="Descriptors decide the image.",
                        available=True,
                        models=["embedded"],
                    ),
                    server_service_pb2.Recipe(
                        name="clap",
                        description="CLAP decides the image.",
                        unavailable_reason="No CLAP weights here; configure some.",
                        requirements=[
                            server_service_pb2.RecipeRequirement(
                                description="a CLAP model in audio-features",
                                remedy="Name one in CHLADNI_AUDIO_FEATURES_CLAP_MODEL.",
                            ),
                            server_service_pb2.RecipeRequirement(
                                description="a Stable Diffusion in image-generation",
                                met=True,
                                has_fallback=True,
                                model="sd",
                            ),
                        ],
                        options=["prompt", "noise_weight"],
                        required_options=["prompt"],
                    ),
                    *self.script.further_recipes,
                ],
                default_recipe="descriptors",
            )
