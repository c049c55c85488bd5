"""Units of sessions that are and are not the same neurons."""

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest

from huidurep_hf import track_units
from huidurep_hf.report.tracking import write_tracking_report
from huidurep_hf.tracking import TrackedUnits, TrackingSettings
from huidurep_hf.tracking.track import _unit_table, names_of

from .made_fingerprints import make_neurons, see_neurons, two_columns

CONTACTS = two_columns(24)


@pytest.fixture(scope="module")
def neurons():
    return make_neurons(20, CONTACTS)


def is_right(tracked):
    """Whether units have one global number exactly if they are one neuron; unit ids are the neurons."""
    table = tracked.table
    units, numbers = table["unit"].to_numpy(), table["global_unit"].to_numpy()
    return np.array_equal(units[:, None] == units[None, :], numbers[:, None] == numbers[None, :])


def test_the_same_neurons_are_found_again_under_noise(neurons):
    tracked = track_units([see_neurons(neurons, CONTACTS, seed=seed) for seed in (1, 2)])
    assert is_right(tracked)
    assert tracked.num_neurons == 20
    assert (tracked.table["probability"] > 0.9).all()
    assert np.abs(tracked.table["displacement_um"]).max() < 2
    # Numbers go from the bottom of the probe to its top.
    assert tracked.table["global_unit"][:20].tolist() == list(range(20))


@pytest.mark.parametrize("displacement", [-20.0, 20.0, 33.0, 105.0])
def test_displacement_by_rows_of_contacts_gain_and_replaced_neurons(neurons, displacement):
    first = see_neurons(neurons, CONTACTS, chosen=range(14), seed=1)
    second = see_neurons(neurons, CONTACTS, chosen=range(5, 20), displacement=displacement, gain=1.5, seed=2)
    inside = (second.location[:, :, 1].mean(axis=1) > 0) & (second.location[:, :, 1].mean(axis=1) < 460)
    tracked = track_units([first, second.chosen(inside)])
    assert is_right(tracked)
    assert tracked.displacements["displacement_um"][0] == pytest.approx(displacement, abs=2)
    assert tracked.displacements["gain"][0] == pytest.approx(1.5, rel=0.1)


def test_other_bank_of_contacts(neurons):
    lower, upper = two_columns(14), two_columns(14, first_row=10)
    places = neurons.places[:, 1]
    first = see_neurons(neurons, lower, chosen=np.flatnonzero(places < 270), seed=1)
    second = see_neurons(neurons, upper, chosen=np.flatnonzero(places > 190), seed=2)
    tracked = track_units([first, second])
    assert is_right(tracked)
    assert tracked.num_neurons == 20


def test_all_new(neurons):
    others = make_neurons(20, CONTACTS, seed=5)
    first, second = see_neurons(neurons, CONTACTS, seed=1), see_neurons(others, CONTACTS, seed=2)
    tracked = track_units([first, second])
    assert tracked.num_neurons == 40
    assert tracked.table["probability"].isna().all()
    assert not tracked.pairs["is_match"].any()


def test_all_new_and_alike(caplog, tmp_path):
    """No neuron is in both sessions, and many are of one kind: few match by chance, and no displacement is sure."""
    num_false, num_units = 0, 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        tables = []
        kinds = rng.normal(0, 1.5, (4, 8))
        for day in range(2):
            own = make_neurons(20, CONTACTS, seed=2 * seed + day)
            embeddings = kinds[rng.integers(0, 4, 20)] + rng.normal(0, 0.7, (20, 8))
            tables.append(see_neurons(dataclasses.replace(own, embeddings=embeddings), CONTACTS, seed=day))
        tracked = track_units(tables)
        num_false, num_units = num_false + int(tracked.pairs["is_match"].sum()), num_units + 20
        assert tracked.unplaced_sessions in ([], [1])
        if tracked.unplaced_sessions:
            page = write_tracking_report(tracked, tables, tmp_path / "page.html").read_text()
            assert "The displacement of 1 is not sure: hardly any of their units" in page
    assert num_false <= 0.15 * num_units
    assert "No sure displacement of session(s) 1 against 0: hardly any of their units" in caplog.text


@pytest.mark.parametrize("numbers", [((), ()), ((), (3,)), ((3,), (3,)), ((3,), (15,))])
def test_no_unit_and_one_unit(neurons, numbers):
    tracked = track_units([see_neurons(neurons, CONTACTS, chosen=own, seed=i) for i, own in enumerate(numbers)])
    assert is_right(tracked)
    assert len(tracked.table) == sum(map(len, numbers))


def test_no_pair_is_alike_enough_for_its_templates(neurons):
    """All pairs are near enough to be compared, and have other embeddings and places."""
    places, embeddings = neurons.places[:, :2], neurons.embeddings
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    unlike = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=2) > 6
    first, second = np.argwhere(unlike & (apart > 49) & (apart < 56))[0]
    # A short probe: no displacement brings them together.
    settings = TrackingSettings(min_probe_length_um=1000.0)
    tables = [see_neurons(neurons, CONTACTS, chosen=[one], seed=one) for one in (first, second)]
    tracked = track_units(tables, settings)
    assert len(tracked.pairs) == 1 and not tracked.pairs["is_match"].any()
    assert tracked.num_neurons == 2


def test_neuron_that_is_missing_for_a_day_comes_back(neurons):
    days = [range(20), [*range(4), *range(5, 20)], range(20), range(3, 20)]
    tracked = track_units([see_neurons(neurons, CONTACTS, chosen=own, seed=i) for i, own in enumerate(days)])
    assert is_right(tracked)
    number = tracked.table.query("unit == 4")["global_unit"]
    assert number.nunique() == 1 and len(number) == 3
    # No two units of a session share a number.
    assert not tracked.table.duplicated(["session", "global_unit"]).any()
    # Partners are units of one number.
    numbers = tracked.table.set_index(["session", "unit"])["global_unit"]
    ends = (numbers.loc[list(zip(tracked.pairs[f"session_{end}"], tracked.pairs[f"unit_{end}"]))] for end in "ab")
    assert tracked.pairs["is_match"].tolist() == np.equal(*(end.to_numpy() for end in ends)).tolist()
    assert tracked.displacements["num_matches"].tolist() == [19, 20, 17, 19, 16, 17]


def test_shanks_are_never_mixed(neurons):
    names = np.where(np.arange(24) < 12, "left", "right")
    # The same neurons before contacts of the same coordinates on the other shank.
    first = see_neurons(neurons, CONTACTS, shanks=names, seed=1)
    second = see_neurons(neurons, CONTACTS, shanks=names, seed=2)
    assert is_right(track_units([first, second]))
    swapped = {"left": "right", "right": "left"}
    second = dataclasses.replace(second, shank=np.array([swapped[shank] for shank in second.shank]))
    pairs = track_units([first, second]).pairs
    assert not (pairs["unit_a"] == pairs["unit_b"]).any()


def test_tetrode_has_no_displacement():
    contacts = np.array([[0.0, 0.0], [25.0, 0.0], [0.0, 25.0], [25.0, 25.0]])
    neurons = make_neurons(6, contacts, seed=3)
    tracked = track_units([see_neurons(neurons, contacts, seed=seed) for seed in (1, 2)])
    assert is_right(tracked)
    assert (tracked.table["displacement_um"] == 0).all()
    assert np.isinf(tracked.displacements["error_um"]).all()
    # Nor is one missing where not all sessions are compared.
    far = track_units(
        [see_neurons(neurons, contacts, seed=seed) for seed in (1, 2, 3)], TrackingSettings(max_sessions_apart=1)
    )
    assert tracked.unplaced_sessions == far.unplaced_sessions == []


def test_halves_of_one_session_are_the_yardstick(neurons):
    within = track_units([see_neurons(neurons, CONTACTS, seed=seed) for seed in (1, 2)]).within
    assert within["is_same"].sum() == 40
    assert within.query("is_same")["score"].min() > within.query("not is_same")["score"].max()


def test_save_and_load(neurons, tmp_path):
    paths = [see_neurons(neurons, CONTACTS, seed=i).save(tmp_path / f"day{i}.parquet") for i in range(2)]
    tracked = track_units(paths, TrackingSettings(min_probability=0.6))
    assert tracked.session_names == ["day0", "day1"]
    folder = tracked.save(tmp_path / "tracked")
    loaded = TrackedUnits.load(folder)
    assert loaded.table.equals(tracked.table) and loaded.pairs.equals(tracked.pairs)
    assert loaded.settings["min_probability"] == 0.6
    with pytest.raises(FileExistsError, match="exists already"):
        tracked.save(folder)
    tracked.save(folder, overwrite=True)
    (tmp_path / "link").symlink_to(folder)
    tracked.save(tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink() and TrackedUnits.load(folder).table.equals(tracked.table)
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(FileExistsError, match="holds no tracked units"):
        tracked.save(tmp_path, overwrite=True)
    with pytest.raises(FileNotFoundError, match="no tracked units"):
        TrackedUnits.load(tmp_path)


def test_sortings_get_the_numbers(neurons):
    from spikeinterface.core import NumpySorting

    tables = [see_neurons(neurons, CONTACTS, chosen=own) for own in ([0, 3, 7], [3, 7, 9])]
    tracked = track_units(tables)
    sortings = [
        NumpySorting.from_unit_dict([{int(unit): np.array([10 * unit + 5]) for unit in table.unit_ids}], 30000.0)
        for table in tables
    ]
    first, second = tracked.sortings(sortings)
    assert first.get_property("global_unit").tolist() == [0, 1, 2]
    assert second.get_property("global_unit").tolist() == [1, 2, 3]
    renumbered = tracked.sortings(sortings, renumber=True)
    assert list(renumbered[1].unit_ids) == [1, 2, 3]
    assert renumbered[1].get_unit_spike_train(2).tolist() == [75]
    with pytest.raises(ValueError, match="1 sortings for 2 sessions"):
        tracked.sortings(sortings[:1])


def test_units_named_by_numbers_and_by_text(neurons, tmp_path):
    from spikeinterface.core import NumpySorting

    from huidurep_hf.report.tracking import write_tracking_report

    first, second = (see_neurons(neurons, CONTACTS, chosen=[0, 3, 7], seed=seed) for seed in (1, 2))
    named = second.renumbered(np.array([f"cell {unit}" for unit in second.unit_ids]))
    tracked = track_units([first, named])
    assert tracked.table["unit"].tolist() == ["0", "3", "7", "cell 0", "cell 3", "cell 7"]
    assert tracked.table["global_unit"].tolist() == [0, 1, 2, 0, 1, 2]
    loaded = TrackedUnits.load(tracked.save(tmp_path / "tracked"))
    trains = [{unit: np.array([5]) for unit in table.unit_ids.tolist()} for table in (first, named)]
    sortings = loaded.sortings([NumpySorting.from_unit_dict([one], 30000.0) for one in trains])
    assert [one.get_property("global_unit").tolist() for one in sortings] == [[0, 1, 2], [0, 1, 2]]
    assert write_tracking_report(tracked, [first, named], tmp_path / "page.html").is_file()


def test_what_cannot_be_tracked(neurons, tmp_path):
    table = see_neurons(neurons, CONTACTS)
    with pytest.raises(ValueError, match="give two or more"):
        track_units([table])
    far = see_neurons(neurons, CONTACTS + [3000.0, 0.0], chosen=[])
    with pytest.raises(ValueError, match="not near those of any other session"):
        track_units([table, far])
    with pytest.raises(FileNotFoundError, match="sort the recording again"):
        track_units([table, tmp_path])
    other = dataclasses.replace(table, description={**table.description, "model": "another"})
    with pytest.raises(ValueError, match="different models"):
        track_units([table, other])
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(ValueError, match="no file of fingerprints"):
        track_units([table, tmp_path / "text.parquet"])
    whole = table.save(tmp_path / "whole.parquet")
    damaged = bytearray(whole.read_bytes())
    damaged[100:2000] = bytes(1900)
    (tmp_path / "damaged.parquet").write_bytes(damaged)
    with pytest.raises(OSError, match=r"damaged.parquet is damaged \("):
        track_units([table, tmp_path / "damaged.parquet"])
    columns = pq.read_table(whole)
    pq.write_table(columns.drop(["location"]), tmp_path / "earlier.parquet")
    with pytest.raises(ValueError, match="earlier.parquet has no column 'location': another version"):
        track_units([table, tmp_path / "earlier.parquet"])
    coarse = dataclasses.replace(table, description={**table.description, "template_rate_hz": 10_000.0})
    with pytest.raises(ValueError, match="0 and 1 differ in template_rate_hz"):
        track_units([table, coarse])
    short = dataclasses.replace(table, template=table.template[:, :, :20])
    with pytest.raises(ValueError, match=r"0 and 1 differ in the size of the template \(36 and 20\)"):
        track_units([table, short])


def test_correlograms_count_if_asked(neurons):
    rng = np.random.default_rng(3)
    # Each neuron has a time of its own at which it fires again.
    lags = np.arange(50)
    peaks = 1 + 20 * np.exp(-0.5 * np.square((lags - rng.permutation(np.linspace(3, 47, 20))[:, None]) / 2))
    shapes = peaks / peaks.sum(axis=1, keepdims=True)
    tables = []
    for seed in (1, 2):
        seen = see_neurons(neurons, CONTACTS, seed=seed)
        counts = np.stack([rng.poisson(2000 * shapes) for _ in range(2)], axis=1)
        tables.append(dataclasses.replace(seen, correlogram=counts / 2000.0))
    scores = {}
    for asked in ("off", "on"):
        tracked = track_units(tables, TrackingSettings(use_correlograms=asked))
        assert is_right(tracked)
        pairs = tracked.pairs
        is_same = pairs["unit_a"] == pairs["unit_b"]
        scores[asked] = pairs["score"][is_same].median() - pairs["score"][~is_same].median()
    assert scores["on"] > scores["off"] + 3
    few = [table.chosen(np.arange(3)) for table in tables]
    with pytest.raises(ValueError, match="6 units .* 20 of each are needed .* use_correlograms='off'"):
        track_units(few, TrackingSettings(use_correlograms="on"))


def test_folders_of_one_name_are_called_by_those_above(tmp_path):
    paths = [tmp_path / day / "sorted" for day in ("day1", "day2")]
    for path in paths:
        path.mkdir(parents=True)
    assert names_of(paths) == ["day1/sorted", "day2/sorted"]
    assert names_of([paths[0], paths[0]]) == ["0", "1"]


def test_names_of_folders_keep_their_points(tmp_path):
    folders = [tmp_path / "2024.01.15", tmp_path / "2024.01.16"]
    for folder in folders:
        folder.mkdir()
    assert names_of(folders) == ["2024.01.15", "2024.01.16"]
    assert names_of([tmp_path / "day1.parquet", tmp_path / "day2.parquet"]) == ["day1", "day2"]


def test_probability_of_a_neuron_counts_pairs_that_are_too_far_apart():
    """One unit in each of three sessions; the first and the last are no pair, as they are too far apart."""
    table = see_neurons(make_neurons(1, CONTACTS), CONTACTS)
    ends, groups = np.array([[0, 1], [1, 2]]), np.zeros(3, dtype=int)
    compared = np.ones((3, 3), dtype=bool)
    found = _unit_table([table] * 3, groups, ends, np.array([0.9, 0.8]), np.zeros(3), compared)
    np.testing.assert_allclose(found["probability"], [0.45, 0.85, 0.4])
    compared[0, 2] = compared[2, 0] = False
    found = _unit_table([table] * 3, groups, ends, np.array([0.9, 0.8]), np.zeros(3), compared)
    np.testing.assert_allclose(found["probability"], [0.9, 0.85, 0.8])
