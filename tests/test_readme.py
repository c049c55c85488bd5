"""What the README shows is run as it stands there."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from huidurep_hf import install_checkpoints

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def base_installed():
    """The bundled checkpoint in the cache, as after `huidurep checkpoints install`."""
    folder = install_checkpoints()["huidurep/base"]
    yield
    shutil.rmtree(folder.parents[1])


def test_use_it_from_transformers(base_installed):
    section = README.read_text().split("## Use it from transformers")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    values = {}
    exec(code, values)
    output = values["output"]
    assert output.embeddings.shape == (100, 32)
    assert output.denoised_waveforms.shape == (100, 72, 4) and output.locations.shape == (100, 2)
    np.testing.assert_allclose(values["embeddings"], output.embeddings.detach().numpy(), atol=1e-4)
    assert len(values["sorting"].unit_ids) > 0
