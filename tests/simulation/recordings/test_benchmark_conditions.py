from huidurep_hf.simulation.electrodes.probes import BENCHMARK_PROBES, HELD_OUT_PROBES
from huidurep_hf.simulation.neurons.cells import HELD_OUT_CELLS
from huidurep_hf.simulation.recordings.benchmark_conditions import BENCHMARK_CONDITIONS
from huidurep_hf.simulation.recordings.recordings import RECORDING_CONDITIONS


def test_conditions_of_the_figures_are_among_them_unchanged():
    for name, parameters in RECORDING_CONDITIONS.items():
        assert BENCHMARK_CONDITIONS[name] == parameters and parameters.pattern is None


def test_cells_are_held_out_and_added_units_are_clear():
    for name, parameters in BENCHMARK_CONDITIONS.items():
        assert parameters.cells == HELD_OUT_CELLS
        assert parameters.probe in HELD_OUT_PROBES + BENCHMARK_PROBES
        if name not in RECORDING_CONDITIONS:
            assert parameters.snr_range == (5.0, 30.0)
    assert [name for name, parameters in BENCHMARK_CONDITIONS.items() if parameters.pattern] == ["silicon32_bursting"]
