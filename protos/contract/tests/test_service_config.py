"""The shipped service config: every method of the contract has its place in it, and gRPC takes it."""

from __future__ import annotations

import importlib
import json
from importlib import resources
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pool

SHIPPED = resources.files("chladni_contract").joinpath("service_config.json")
PROTOS = Path(__file__).parents[2]
NOT_REPEATED = {
    "chladni.audio.v1.AudioFeatureService/CutAudio",
    "chladni.audio.v1.AudioFeatureService/StreamFeatures",
    "chladni.gateway.v1.AudioService/StreamFeatures",
    "chladni.gateway.v1.ImageService/CreateImageFromUpload",
    "chladni.gateway.v1.JobService/CreateJobFromUpload",
    "chladni.gateway.v1.LiveService/StreamImages",
    "chladni.image.v1.ImageGenerationService/StreamImages",
}


@pytest.fixture(scope="module")
def methods():
    """The methods of every service of the contract that is served, by their full names."""
    found = {}
    for path in sorted(PROTOS.glob("chladni/*/v1/*.proto")):
        name = path.relative_to(PROTOS).as_posix()
        importlib.import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
        file = descriptor_pool.Default().FindFileByName(name)
        for service in file.services_by_name.values():
            found |= {f"{service.full_name}/{method.name}": method for method in service.methods}
    return found


def entries_of(method, config):
    service, name = method.split("/")
    return [
        (entry, item)
        for entry in config["methodConfig"]
        for item in entry["name"]
        if item.get("service") == service and item.get("method", name) == name
    ]


def test_the_shipped_file_is_the_one_of_the_contracts():
    assert json.loads((PROTOS / "service_config.json").read_text()) == json.loads(SHIPPED.read_text())


def test_every_method_has_one_place_and_every_name_exists(methods):
    config = json.loads(SHIPPED.read_text())
    assert all(len(entries_of(method, config)) == 1 for method in methods)
    services = {method.split("/")[0] for method in methods}
    for item in (item for entry in config["methodConfig"] for item in entry["name"]):
        assert item["service"] in services
        assert "method" not in item or f"{item['service']}/{item['method']}" in methods


def test_whatever_may_be_sent_twice_is_repeated_and_bounded(methods):
    config = json.loads(SHIPPED.read_text())
    for method, descriptor in methods.items():
        ((entry, _),) = entries_of(method, config)
        assert ("retryPolicy" in entry) is (method not in NOT_REPEATED), method
        assert ("timeout" in entry) is not descriptor.client_streaming, method


def test_grpc_takes_it(caplog):
    config = json.dumps(json.loads(SHIPPED.read_text()))
    with grpc.insecure_channel("127.0.0.1:1", [("grpc.service_config", config)]) as channel:
        call = channel.unary_unary("/chladni.gateway.v1.ServerService/ListRecipes")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=0.2)
    # A config that gRPC does not understand makes every call fail with its own complaint.
    assert "service config" not in caught.value.details()
