"""Simulate a spike dataset: `python scripts/build_dataset.py --output data/spikes`."""

import argparse
import logging
import sys

from huidurep_hf.simulation.dataset.building import build_spike_dataset
from huidurep_hf.simulation.dataset.parameters import SOURCES, SpikeDatasetParameters
from huidurep_hf.simulation.electrodes.templates import TemplateParameters


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--output", required=True, help="dataset folder to make")
    parser.add_argument("--num-units", type=int, default=12_000, help="units of the train split")
    parser.add_argument("--num-test-units", type=int, default=500, help="held-out cell models; 0 for none")
    parser.add_argument("--source", choices=SOURCES, default="cell_models", help="neurons of the train split")
    parser.add_argument("--units-per-neuron", type=int, default=6, help="units that a neuron serves")
    parser.add_argument("--num-displacements", type=int, default=4, help="rows per unit, each displaced")
    parser.add_argument("--minimal-amplitude-uv", type=float, default=20.0, help="smallest trough")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num-workers", type=int, default=2, help="processes; the dataset does not depend on it")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing folder")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    templates = TemplateParameters(
        num_displacements=arguments.num_displacements, minimal_amplitude_uv=arguments.minimal_amplitude_uv
    )
    parameters = SpikeDatasetParameters(
        num_units=arguments.num_units,
        num_test_units=arguments.num_test_units,
        source=arguments.source,
        units_per_neuron=arguments.units_per_neuron,
        seed=arguments.seed,
        templates=templates,
    )
    try:
        build_spike_dataset(
            arguments.output,
            parameters,
            num_workers=arguments.num_workers,
            overwrite=arguments.overwrite,
            progress=not arguments.quiet,
        )
    except (FileExistsError, ValueError, ModuleNotFoundError, RuntimeError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
