import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

PROGRAM = Path(__file__).with_name("two_processes.py")


OBJECTIVES = ("momentum_contrast", "prototypes")


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    """Folder of what two processes have computed; they are started once for all objectives."""
    folder = tmp_path_factory.mktemp("two")
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    # A file, not a pipe: a worker that outlives its launcher would keep a pipe open and the time limit from working.
    with (folder / "log").open("w") as log:
        done = subprocess.run(
            [*launch, str(PROGRAM), str(folder), *OBJECTIVES],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=log,
            timeout=200,
        )
    log = (folder / "log").read_text()
    assert done.returncode == 0, log
    assert "FutureWarning" not in log
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_two_halves_give_the_loss_and_gradients_of_the_whole(objective, computed):
    """Keys, means of units, unit ids and batch norm reach across processes, so only rounding may differ."""
    two = torch.load(computed / f"{objective}.pt")

    specification = importlib.util.spec_from_file_location("two_processes", PROGRAM)
    program = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(program)
    model = program.build(objective)
    loss = model(**program.batch()).loss
    loss.backward()
    torch.testing.assert_close(two["loss"].item(), loss.item(), rtol=1e-6, atol=0)
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert two["gradients"].keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(two["gradients"][name], gradient, rtol=1e-4, atol=1e-7, msg=name)
    for name, value in two["buffers"].items():
        torch.testing.assert_close(value, model.get_buffer(name), rtol=1e-6, atol=1e-9, msg=name)
