"""Replicas: they share a batch without overlap and agree on its gradient."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import torch

from chladni_image_generation.training.replicas import Replicas, join_replicas

REPLICA = """
import torch
from chladni_image_generation.training.replicas import join_replicas

replicas = join_replicas()
layer = torch.nn.Linear(2, 1)
torch.nn.init.zeros_(layer.weight)
batch = replicas.own_share(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]))
layer(batch).mean().backward()
replicas.average_gradients(layer)
replicas.wait()
print(replicas.rank, replicas.leads, layer.weight.grad.tolist(), layer.bias.grad.tolist())
"""


def test_two_replicas_agree_on_the_gradient_of_the_whole_batch() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", REPLICA],
            env=os.environ
            | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
            | {"RANK": str(rank), "WORLD_SIZE": "2"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    answers = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert answers == ["0 True [[4.0, 5.0]] [1.0]", "1 False [[4.0, 5.0]] [1.0]"]


def test_replicas_share_a_batch_without_overlap() -> None:
    batch = torch.arange(7)
    shares = [Replicas(rank=rank, count=3).own_share(batch) for rank in range(3)]
    assert sorted(torch.cat(shares).tolist()) == batch.tolist()


def test_a_job_started_plainly_is_alone() -> None:
    replicas = join_replicas()
    assert (replicas.rank, replicas.count, replicas.leads) == (0, 1, True)
    layer = torch.nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    replicas.average_gradients(layer)
    replicas.wait()
    assert torch.equal(layer.weight.grad, torch.ones(1, 2))
    assert torch.equal(replicas.own_share(torch.arange(3)), torch.arange(3))
