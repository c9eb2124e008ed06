"""Several processes that train one model: one per GPU, on one machine or several (started by torchrun)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import BadInput


@dataclass(frozen=True)
class Processes:
    """Which process of how many this one is. Alone, every method here is free."""

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def share(self, micro_batches: int) -> range:
        """The micro-batches of a step that are this process's; raises `BadInput` where they do not divide."""
        if micro_batches % self.count:
            raise BadInput(
                f"micro_batches is {micro_batches}, which {self.count} processes cannot share evenly; "
                f"set it to a multiple of {self.count} in the training configuration."
            )
        each = micro_batches // self.count
        return range(self.rank * each, (self.rank + 1) * each)

    def wrapped(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over the processes as they come out of the backward pass."""
        if self.count == 1:
            return module
        # Buffers agree by themselves (spectral norm) or through `average_statistics`.
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, devices, broadcast_buffers=False, gradient_as_bucket_view=True)

    def any(self, flag: bool) -> bool:
        """Whether any process says so."""
        return flag if self.count == 1 else bool(self._reduced(torch.tensor(float(flag)), dist.ReduceOp.MAX) > 0)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """The mean over processes of a float tensor."""
        return values if self.count == 1 else self._reduced(values, dist.ReduceOp.SUM) / self.count

    def average_statistics(self, module: nn.Module) -> None:
        """Batch norm's running means and variances become their mean over the processes."""
        if self.count == 1:
            return
        norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        buffers = [b for m in norms for b in (m.running_mean, m.running_var) if b is not None]
        if buffers:
            flat = self.mean(torch.cat([b.flatten() for b in buffers]))
            for buffer, part in zip(buffers, flat.split([b.numel() for b in buffers])):
                buffer.copy_(part.view_as(buffer))

    def agree(self, number: int, what: str) -> None:
        """Raises `BadInput` if `number` is not the same everywhere; `what` says where it comes from."""
        if self.count == 1:
            return
        least, most = (int(self._reduced(torch.tensor(number), kind)) for kind in (dist.ReduceOp.MIN, dist.ReduceOp.MAX))
        if least != most:
            raise BadInput(f"The processes see different {what} ({least} and {most}); all machines need the same files.")

    def _reduced(self, values: torch.Tensor, kind) -> torch.Tensor:
        values = values.detach().to(self.device, copy=True)
        dist.all_reduce(values, kind)
        return values


@contextlib.contextmanager
def joined_processes(device_name: str = "auto") -> Iterator[Processes]:
    """This process among those that torchrun started; alone without torchrun.

    Devices by each process's rank on its machine; NCCL between GPUs, gloo between CPUs.
    """
    from .devices import chosen_device

    count, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    device = chosen_device(device_name, local)
    if count == 1:
        yield Processes(device=device)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), count, device)
    finally:
        dist.destroy_process_group()
