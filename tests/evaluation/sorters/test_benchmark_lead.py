from huidurep_hf.evaluation.sorters.benchmark_lead import lead_table


def _row(condition, sorter, seed, accuracy, *, found=4, false=1, error=None):
    scores = {
        "accuracy_snr3": accuracy,
        "num_well_detected_units": found,
        "num_false_positive_units": false,
        "num_redundant_units": 1,
    }
    row = {"condition": condition, "sorter": sorter, "recording_seed": seed, "error": error}
    return {**row, "scores": None if error else scores}


def test_the_best_peer_is_the_measure():
    rows = [
        _row("tetrode", "huidurep", 1, 0.9),
        _row("tetrode", "lupin", 1, 0.8, found=3, false=4),
        _row("tetrode", "mountainsort5", 1, 0.5, found=6),
        # The peers have no second recording, so it does not count.
        _row("tetrode", "huidurep", 2, 0.1),
        _row("hybrid4", "huidurep", 1, 0.4, false=None),
        _row("hybrid4", "lupin", 1, 0.5, false=None),
        _row("silicon32", "lupin", 1, 0.5),
        _row("silicon32", "huidurep", 1, None, error="KeyError: 1"),
    ]
    lines = [line.strip("| ").split(" | ") for line in lead_table(rows).splitlines()[2:]]
    assert lines == [
        ["tetrode", "lupin", "0.900", "0.800", "50 %", "4", "6", "2", "5"],
        ["hybrid4", "lupin", "0.400", "0.500", "-20 %", "4", "4", "–", "–"],
    ]
