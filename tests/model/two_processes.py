"""Run by test_two_processes.py on two processes: write loss and gradients of a batch that they share."""

import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from huidurep_hf import HuiduRepConfig, HuiduRepForPreTraining

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "projection_hidden_size": 12, "projection_size": 6}


def batch(num_spikes=8):
    """The whole batch, with masks that differ between its halves and units that come twice."""
    generator = torch.Generator().manual_seed(5)
    names = ("waveforms", "clean_waveforms", "paired_waveforms", "paired_clean_waveforms")
    inputs = {name: torch.randn(num_spikes, 72, 5, generator=generator, dtype=torch.float64) for name in names}
    inputs["channel_positions"] = 30 * torch.randn(num_spikes, 5, 2, generator=generator, dtype=torch.float64)
    inputs["channel_mask"] = torch.ones(num_spikes, 5, dtype=torch.float64)
    inputs["channel_mask"][:3, 3:] = 0
    inputs["unit_ids"] = torch.tensor([0, 1, 2, 3, 1, 4, -1, -1])[:num_spikes]
    return inputs


def build(objective):
    """A model in double precision, the same everywhere."""
    torch.manual_seed(0)
    return HuiduRepForPreTraining(HuiduRepConfig(objective=objective, **SIZES)).double().train()


def compute(objective, path):
    """Compute, and write on the first process."""
    model = DistributedDataParallel(build(objective))
    share = {name: value.chunk(2)[dist.get_rank()] for name, value in batch().items()}
    loss = model(**share).loss
    loss.backward()
    mean_loss = loss.detach() / 2
    dist.all_reduce(mean_loss)
    if dist.get_rank() == 0:
        gradients = {name: p.grad for name, p in model.module.named_parameters() if p.grad is not None}
        buffers = {name: value for name, value in model.module.named_buffers() if "running" in name}
        torch.save({"loss": mean_loss, "gradients": gradients, "buffers": buffers}, path)


def main():
    """A file `OBJECTIVE.pt` in the folder for each objective that is named."""
    dist.init_process_group("gloo")
    for objective in sys.argv[2:]:
        compute(objective, Path(sys.argv[1]) / f"{objective}.pt")
    dist.barrier()
    # Gloo's thread frees its last work under the GIL; an interpreter that ends at once would join it while holding that
    # lock, and both would wait for ever. Asleep, we do not hold it.
    time.sleep(0.5)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
