"""What the server says about itself over gRPC."""

from __future__ import annotations

from importlib.metadata import version

from chladni.gateway.v1 import server_service_pb2


async def test_versions_limits_and_health_are_told(backends, gateway):
    info = await gateway.server.GetServerInfo(server_service_pb2.GetServerInfoRequest())
    assert (info.version, list(info.api_packages)) == (version("chladni-gateway"), ["chladni.gateway.v1"])
    rest = (await gateway.http.get("/api/v1/info")).json()
    limits = rest["limits"]
    assert info.limits.max_audio_bytes == limits["max_audio_bytes"]
    longest = info.limits.max_audio_duration.ToTimedelta().total_seconds()
    assert longest == limits["max_audio_duration_seconds"]
    assert (info.limits.steps.min, info.limits.steps.max) == (1, 150)
    assert info.limits.min_ping_interval.ToTimedelta().total_seconds() == 5
    assert {service.name: service.state for service in info.services} == dict.fromkeys(
        ("audio-features", "image-generation", "similarity"), server_service_pb2.SERVICE_STATE_HEALTHY
    )
    await backends.servers["similarity"].kill()
    info = await gateway.server.GetServerInfo(server_service_pb2.GetServerInfoRequest())
    assert info.services[2].state == server_service_pb2.SERVICE_STATE_UNAVAILABLE


async def test_recipes_are_listed_the_default_one_first(backends, gateway):
    response = await gateway.server.ListRecipes(server_service_pb2.ListRecipesRequest())
    recipe = response.recipes[0]
    assert (recipe.name, response.default_recipe, recipe.available) == ("embedded", "embedded", True)
    assert list(recipe.models) == ["scripted-descriptors", "scripted-embedded"]
    await backends.servers["image-generation"].kill()
    recipe = (await gateway.server.ListRecipes(server_service_pb2.ListRecipesRequest())).recipes[0]
    assert not recipe.available
    assert "image-generation" in recipe.unavailable_reason
