"""The lessons of docs/tutorials.md are run as they stand, one after the other, on a tiny recording."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from huidurep_hf import HuiduRepModel, checkpoint_path
from huidurep_hf.sorting.output.result import SortingResult

from .hub.hub_process import run_with_hub
from .hub_server import HubServer

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[1] / "docs" / "tutorials.md"


def blocks_of(lesson):
    """The Python blocks of a lesson."""
    section = re.search(f"<!-- {lesson} begin -->(.*)<!-- {lesson} end -->", PAGE.read_text(), flags=re.DOTALL)[1]
    return re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, generated):
    """Where a newcomer works: the recording of `huidurep example`, but shorter, and the first lesson is done."""
    folder = tmp_path_factory.mktemp("newcomer")
    generated[0].save(folder=folder / "results" / "example" / "recording", progress_bar=False, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for block in blocks_of("sort"):
            exec(block, {})
    return folder


def test_every_block_is_in_a_lesson():
    lessons = ("sort", "embed", "pretrain", "publish")
    assert PAGE.read_text().count("```python") == sum(len(blocks_of(lesson)) for lesson in lessons)


def test_sort_look_and_curate(folder):
    result, curated = (SortingResult.load(folder / "results" / name) for name in ("mine", "curated"))
    assert len(curated.units) == len(result.units) - 1 >= 2
    assert curated.units["label"][0] == "mua"
    page = (folder / "results" / "mine" / "report.html").read_text()
    assert f"{len(result.units)} units" in page and (folder / "results" / "mine" / "suggestions.csv").is_file()


def test_embed_and_explore(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (block,) = blocks_of("embed")
    values = {}
    exec(block, values)
    plt.close(values["figure"])
    spikes = pd.read_parquet("spikes.parquet")
    assert np.stack(spikes["embedding"]).shape == (len(spikes), 32) and Path("embeddings.png").is_file()
    # The spikes most like the first are of its neuron.
    similar = spikes.iloc[values["similar"][0]]
    assert np.ptp(similar["y_um"]) <= 50


@pytest.fixture(scope="module")
def trained(folder):
    """Where the model of the third lesson is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (block,) = blocks_of("pretrain")
        values = {}
        exec(block, values)
    return folder / values["folder"]


def test_pretrain_on_ones_own_probe(trained):
    model, base = (HuiduRepModel.from_pretrained(path) for path in (trained, checkpoint_path("base")))
    assert model.num_parameters() == base.num_parameters()
    assert any(not (one == other).all() for one, other in zip(model.parameters(), base.parameters()))


def test_publish(folder, trained, tmp_path):
    (block,) = blocks_of("publish")
    told = "\nimport json\nprint(json.dumps([model.num_parameters(), len(spikes), extractor.num_channels]))"
    with HubServer() as hub:
        code = f"import os\nos.chdir({str(folder)!r})\n{block}{told}"
        num_parameters, num_spikes, num_channels = run_with_hub(hub.url, tmp_path / "home", code)
        assert {"model.safetensors", "preprocessor_config.json"} <= set(hub.files["models", "me/my-probe"])
    assert (num_parameters, num_channels) == (HuiduRepModel.from_pretrained(trained).num_parameters(), 11)
    assert num_spikes == SortingResult.load(folder / "results" / "mine").units["num_spikes"].sum()
