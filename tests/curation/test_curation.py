import json

import numpy as np
import pandas as pd
import pytest
from spikeinterface.curation import apply_curation as apply_by_spikeinterface

from huidurep_hf.cli.main import main
from huidurep_hf.curation.applying import apply_curation
from huidurep_hf.curation.decisions import make_curation, read_curation
from huidurep_hf.sorting.output.result import SortingResult

from ..made_results import make_result


@pytest.fixture(scope="module")
def result():
    return make_result(6, 3000)


def train(result, unit):
    return result.sorting.get_unit_spike_train(unit, segment_index=0)


def test_merged_removed_and_labelled(result):
    curation = make_curation(6, merges=[[3, 1]], removed=[0], labels={5: "mua", 4: "noise"})
    curated = apply_curation(result, curation, source="a test")
    # 0 is removed, 1 and 3 are one, 4 is noise: 1 and 3, 2, 5.
    assert curated.provenance["curations"][0]["units_before"] == [[1, 3], [2], [5]]
    np.testing.assert_array_equal(train(curated, 0), np.sort(np.concatenate([train(result, 1), train(result, 3)])))
    np.testing.assert_array_equal(train(curated, 1), train(result, 2))
    assert curated.units["label"].tolist() == ["good", "good", "mua"]
    assert curated.units["num_spikes"][0] == 1000
    np.testing.assert_allclose(curated.templates[0], result.templates[[1, 3]].mean(axis=0), atol=1e-6)
    is_gone = result.events["unit"].isin([0, 4]).to_numpy()
    assert (curated.events.loc[is_gone, "outcome"] == "removed").all()
    assert (curated.events.loc[is_gone, ["unit", "probability"]] == [-1, 0]).all(axis=None)
    assert curated.provenance["counts"] == {"units": 3, "events": 3000, "unit": 2000, "removed": 1000}
    assert result.provenance.get("curations") is None and len(result.templates) == 6


def test_spikes_are_those_that_spikeinterface_gives(result):
    curation = make_curation(6, merges=[[0, 2], [3, 4, 5]], removed=[1])
    ours = apply_curation(result, curation)
    theirs = apply_by_spikeinterface(result.sorting, curation.model_dump(exclude={"supported_versions"}))
    expected = {tuple(theirs.get_unit_spike_train(unit, segment_index=0)) for unit in theirs.unit_ids}
    assert {tuple(train(ours, unit)) for unit in ours.sorting.unit_ids} == expected


def test_the_spread_of_merged_units_is_that_of_all_their_spikes(result):
    rng = np.random.default_rng(0)
    merged = apply_curation(result, make_curation(6, merges=[[0, 1]]))
    spikes = [template + rng.normal(size=(2000, *template.shape[:1], 1)) for template in result.templates[:2, :, :1]]
    np.testing.assert_allclose(merged.spread[0][:, 0], np.concatenate(spikes).std(axis=0)[:, 0], rtol=0.1)


def test_curation_is_kept_and_goes_on(result, tmp_path):
    first = apply_curation(result, make_curation(6, labels={2: "mua", 5: "mua"}))
    loaded = SortingResult.load(first.save(tmp_path / "first"))
    pd.testing.assert_frame_equal(loaded.units, first.units)
    second = apply_curation(loaded, make_curation(6, removed=[0]))
    assert second.units["label"].tolist() == ["good", "mua", "good", "good", "mua"]
    assert len(second.provenance["curations"]) == 2
    nothing = apply_curation(second, make_curation(5, removed=range(5)))
    assert len(SortingResult.load(nothing.save(tmp_path / "nothing")).units) == 0


def test_files_of_spikeinterface_and_phy(result, tmp_path):
    curation = make_curation(6, merges=[[1, 3]], labels={5: "mua"})
    (tmp_path / "curation.json").write_text(curation.model_dump_json())
    assert read_curation(tmp_path / "curation.json", 6).merges[0].unit_ids == [1, 3]
    with pytest.raises(ValueError, match="another sorting; the result has 7"):
        read_curation(tmp_path / "curation.json", 7)
    groups = pd.DataFrame({"cluster_id": range(6), "group": ["good", "mua", "noise", "unsorted", "good", "good"]})
    groups.to_csv(tmp_path / "cluster_group.tsv", sep="\t", index=False)
    curated = apply_curation(result, read_curation(tmp_path / "cluster_group.tsv", 6))
    assert curated.units["label"].tolist() == ["good", "mua", "good", "good", "good"]


def test_the_command(result, tmp_path, capsys):
    folder = result.save(tmp_path / "result")
    out = tmp_path / "curated"
    flags = ["--merge", "3,4", "--remove", "0", "--label", "5=mua"]
    assert main(["curate", str(folder), str(out), *flags]) == 0
    assert "2 was 3 and 4" in capsys.readouterr().out
    assert (out / "report.html").is_file()
    entry = json.loads((out / "provenance.json").read_text())["curations"][0]
    assert entry["decisions"]["removed"] == [0] and entry["by"] and entry["source"] == "command line"
    assert main(["curate", str(folder), str(out), *flags]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "Give decisions"),
        (["--remove", "9"], "Got unit 9 to curate, but the result has units 0 to 5."),
        (["--label", "5=great"], "Got label 'great' for unit 5; give one of good, mua, noise."),
        (["--merge", "3+4"], "Got '3+4' for units"),
        (["--merge", "3,4", "4,5"], "not valid"),
        (["--merge", "3,4", "--remove", "4"], "not valid"),
    ],
)
def test_mistakes_are_one_line(result, tmp_path, capsys, flags, message):
    folder = result.save(tmp_path / "result")
    assert main(["curate", str(folder), str(tmp_path / "out"), *flags]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()
