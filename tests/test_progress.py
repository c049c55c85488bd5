"""Every stage shows how far it is, how fast, how long still, and how much memory the process holds."""

import io
import logging
import re

import numpy as np
import pytest

from huidurep_hf import SpikeSorter
from huidurep_hf.progress import ProgressBar
from huidurep_hf.resumable import ResumableWorkers


def test_a_bar_has_rate_time_left_and_memory():
    text = io.StringIO()
    for _ in ProgressBar(range(3), desc="scan", unit="s", file=text, mininterval=0):
        pass
    assert re.search(r"scan: +33%.*1/3 \[\d\d:\d\d<\d\d:\d\d, .*, \d\.\d GB\]", text.getvalue())


def test_stages_show_their_passes_and_quiet_runs_nothing(tmp_path, capfd):
    def square(number):
        return {"square": np.array([number**2])}

    for progress in (True, False):
        workers = ResumableWorkers(2, tmp_path / str(progress), progress=progress)
        with workers.showing("learn units"):
            found = [one["square"].item() for one in workers.run("pass", square, list(range(20)))]
            found += list(workers.map(lambda number: number, [1, 2]))
        assert found == [number**2 for number in range(20)] + [1, 2]
        said = capfd.readouterr().err
        assert ("learn units" in said and " GB]" in said) == progress
        list(workers.run("another", square, [1, 2, 3]))
        assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_a_sort_names_its_stages_with_seconds_and_memory(tiny_checkpoint, generated, caplog, capfd):
    with caplog.at_level(logging.INFO, "huidurep_hf"):
        SpikeSorter.from_pretrained(tiny_checkpoint, device="cpu").sort(
            generated[0].frame_slice(0, 90000), progress=True
        )
    shown = capfd.readouterr().err
    assert all(stage in shown for stage in ("scan:", "embed:", "learn units:", "assign:"))
    for stage in ("scan", "embed", "motion", "learn clusters", "learn units", "assign"):
        assert re.search(rf"{stage}: \d+\.\d s, \d\.\d GB of memory", caplog.text), stage
