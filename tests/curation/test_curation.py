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


def counts_of(result):
    return result.units["num_spikes"].to_numpy()


def test_files_of_spikeinterface_and_phy(result, tmp_path):
    curation = make_curation(6, merges=[[1, 3]], labels={5: "mua"})
    (tmp_path / "curation.json").write_text(curation.model_dump_json())
    assert read_curation(tmp_path / "curation.json", counts_of(result)).merges[0].unit_ids == [1, 3]
    with pytest.raises(ValueError, match="another sorting; the result has 7"):
        read_curation(tmp_path / "curation.json", np.ones(7))
    groups = pd.DataFrame({"cluster_id": range(6), "group": ["good", "mua", "noise", "unsorted", "good", "good"]})
    groups.to_csv(tmp_path / "cluster_group.tsv", sep="\t", index=False)
    curated = apply_curation(result, read_curation(tmp_path / "cluster_group.tsv", counts_of(result)))
    assert curated.units["label"].tolist() == ["good", "mua", "good", "good", "good"]


@pytest.mark.slow
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


def test_out_may_be_left_out_and_flags_come_before_or_after(result, tmp_path, capsys):
    folder = result.save(tmp_path / "result")
    flags = ["--merge", "3,4", "--remove", "0,2", "--label", "5=mua", "--no-report"]
    assert main(["curate", str(folder), *flags]) == 0
    assert str(tmp_path / "result_curated") in capsys.readouterr().out
    assert main(["curate", str(folder), str(tmp_path / "out"), *flags]) == 0
    assert main(["curate", *flags, str(folder), str(tmp_path / "other"), "--merge", "1,5"]) == 0
    for name, units_before in (("result_curated", [[1], [3, 4], [5]]), ("out", [[1], [3, 4], [5]]), ("other", None)):
        curated = SortingResult.load(tmp_path / name)
        assert curated.provenance["curations"][0]["units_before"] == (units_before or [[1, 5], [3, 4]])


def test_the_result_itself_is_not_replaced(result, tmp_path, monkeypatch, capsys):
    folder = result.save(tmp_path / "result")
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    for output in ("result", "link", "./result/../result"):
        assert main(["curate", str(folder), output, "--remove", "1", "--overwrite"]) == 2
        assert "give another OUT than RESULT" in capsys.readouterr().err
    assert len(SortingResult.load(folder).units) == 6


def phy_folder(result, path, clusters_of=None, groups=()):
    """What `huidurep curate` reads of a phy folder, after a person has merged `clusters_of` (unit -> cluster)."""
    path.mkdir()
    units = result.sorting.to_spike_vector()["unit_index"]
    np.save(path / "spike_templates.npy", units[:, None])
    np.save(path / "spike_clusters.npy", np.array([(clusters_of or {}).get(unit, unit) for unit in units.tolist()]))
    pd.DataFrame(groups, columns=["cluster_id", "group"]).to_csv(path / "cluster_group.tsv", sep="\t", index=False)
    return path


def test_merges_of_phy_are_read_from_its_folder(result, tmp_path):
    # phy numbers a merged cluster anew, and may leave the rows of its parts.
    groups = [(0, "good"), (1, "mua"), (2, None), (3, "unsorted"), (4, "noise"), (6, "mua")]
    folder = phy_folder(result, tmp_path / "phy", {1: 6, 3: 6}, groups)
    curation = read_curation(folder / "cluster_group.tsv", counts_of(result))
    assert [merge.unit_ids for merge in curation.merges] == [[1, 3]]
    curated = apply_curation(result, curation)
    assert curated.provenance["curations"][0]["units_before"] == [[0], [1, 3], [2], [5]]
    assert curated.units["label"].tolist() == ["good", "mua", "good", "good"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda phy: np.save(phy / "spike_clusters.npy", np.arange(3000)), "splits unit 0, which needs the traces"),
        (lambda phy: np.save(phy / "spike_clusters.npy", np.arange(3)), "is the phy folder of another result"),
        (lambda phy: np.save(phy / "spike_templates.npy", np.full(3000, 6)), "is the phy folder of another result"),
        # As many spikes and units, and other spikes of each.
        (lambda phy: np.save(phy / "spike_templates.npy", np.full(3000, 5)), "is the phy folder of another result"),
        (
            lambda phy: np.save(phy / "spike_templates.npy", np.array([{}])),
            "spike_templates.npy holds no whole numbers",
        ),
        (lambda phy: (phy / "spike_clusters.npy").write_text("no"), "spike_clusters.npy holds no whole numbers"),
        (lambda phy: (phy / "spike_clusters.npy").unlink(), "names cluster 6, but the result has units 0 to 5; give"),
        (lambda phy: (phy / "cluster_group.tsv").write_text("cluster_id\tgroup\n2\tgreat\n"), "Got label 'great' for"),
        (lambda phy: (phy / "cluster_group.tsv").write_text("cluster_id\tgroup\nx\tgood\n"), "has no columns"),
        (lambda phy: (phy / "cluster_group.tsv").write_text(""), "has no columns cluster_id (numbers) and group"),
    ],
)
def test_what_phy_cannot_tell_is_one_line(result, tmp_path, capsys, change, message):
    folder = result.save(tmp_path / "result")
    phy = phy_folder(result, tmp_path / "phy", {1: 6, 3: 6}, [(6, "good")])
    change(phy)
    assert main(["curate", str(folder), "--file", str(phy / "cluster_group.tsv")]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and len(error.splitlines()) == 1
    assert not (tmp_path / "result_curated").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "curation.json is no curation; give a .json that spikeinterface-gui has saved"),
        ("text", "curation.json is no curation; give a .json"),
        ("[1]", "curation.json is no curation; give a .json"),
        ('{"unit_ids": "some", "format_version": "2"}', "curation.json is not valid: "),
        ('{"unit_ids": [0]}', "curation.json is not valid: it lacks "),
        ('{"unit_ids": [0, "1"], "format_version": "2"}', "curation.json is about 2 units of another sorting"),
        (
            '{"unit_ids": [0, 1, 2, 3, 4, 5], "format_version": "2", "merges": [{"unit_ids": [2, 2]}]}',
            "curation.json merges unit 2 with itself; name each unit of a merge once.",
        ),
    ],
)
def test_a_file_that_is_no_curation_is_named(result, tmp_path, capsys, text, message):
    folder = result.save(tmp_path / "result")
    (tmp_path / "curation.json").write_text(text)
    assert main(["curate", str(folder), "--file", str(tmp_path / "curation.json")]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and len(error.splitlines()) == 1


def test_an_empty_result_has_nothing_to_curate(tmp_path, capsys):
    folder = make_result(0, 50).save(tmp_path / "result")
    (tmp_path / "curation.json").write_text("{}")
    for flags in (["--remove", "0"], ["--file", str(tmp_path / "curation.json")]):
        assert main(["curate", str(folder), *flags]) == 2
        assert "The result has no units; there is nothing to curate." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "Give decisions"),
        (["--remove", "9"], "Got unit 9 to curate, but the result has units 0 to 5."),
        (["--label", "5=great"], "Got label 'great' for unit 5; give one of good, mua, noise."),
        (["--merge", "3+4"], "Got '3+4' for units"),
        (["--merge", "3,4", "--merge", "4,5"], "not valid"),
        (["--merge", "2,2"], "merges unit 2 with itself; name each unit of a merge once."),
        (["--remove", "x"], "Got 'x' for units"),
        (["--label", "5=good", "--label", "5=mua"], "Got the labels 'good' and 'mua' for unit 5; give one."),
        (["--merge", "3,4", "--remove", "4"], "not valid"),
    ],
)
def test_mistakes_are_one_line(result, tmp_path, capsys, flags, message):
    folder = result.save(tmp_path / "result")
    assert main(["curate", str(folder), str(tmp_path / "out"), *flags]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_user_without_a_name_can_curate(result, monkeypatch):
    def nameless():
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", nameless)
    curated = apply_curation(result, make_curation(6, labels={5: "mua"}))
    assert curated.provenance["curations"][0]["by"].isdigit()
