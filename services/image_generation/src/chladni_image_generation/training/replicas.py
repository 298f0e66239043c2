"""Data-parallel training over processes of one thread each.

On a CPU that other work shares, a thread that waits for its sibling after every operation waits
often; processes that meet once a step do not. Started by `torchrun --nproc-per-node N -m ...` the
job is N replicas; started plainly it is one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed
from torch import Tensor, nn


@dataclass(frozen=True)
class Replicas:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the checkpoints and reports the progress."""
        return self.rank == 0

    def own_share(self, batch: Tensor) -> Tensor:
        """Return the rows of a batch that this process works on; all of them if it is alone."""
        return batch[self.rank :: self.count]

    @torch.no_grad()
    def average_gradients(self, model: nn.Module) -> None:
        """Give every replica the mean of their gradients."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(flat)
        flat /= self.count
        shares = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, share in zip(gradients, shares, strict=True):
            gradient.copy_(share.view_as(gradient))

    def wait(self) -> None:
        """Return once every replica has come here."""
        if self.count > 1:
            torch.distributed.barrier()


def join_replicas() -> Replicas:
    """Join the processes that torchrun has started, or be the only one."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return Replicas()
    torch.distributed.init_process_group("gloo")
    return Replicas(rank=torch.distributed.get_rank(), count=count)
