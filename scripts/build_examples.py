"""Make the templates of the example recordings that ship with the package: `python scripts/build_examples.py`."""

import argparse
from pathlib import Path

from huidurep_hf.simulation.recordings.examples import EXAMPLE_NOISE_UV, save_templates
from huidurep_hf.simulation.recordings.recordings import RecordingParameters, place_units

EXAMPLES = {
    "silicon32": RecordingParameters("poly2_32", num_units=20, noise_level_uv=EXAMPLE_NOISE_UV, seed=32),
    "tetrode": RecordingParameters("tetrode_diamond", num_units=8, noise_level_uv=EXAMPLE_NOISE_UV, seed=4),
}

LICENSE = """\
The templates in this folder are simulated from the cell models L5_TTPC2, L5_NBC, L5_MC and L5_STPC of the
Blue Brain Project (Markram et al., Cell 163, 2015, 456-492), as MEArec bundles them (Buccino and Einevoll,
Neuroinformatics 19, 2021, 185-204). The models are licensed under Creative Commons
Attribution-NonCommercial-ShareAlike 4.0 (CC BY-NC-SA 4.0, https://creativecommons.org/licenses/by-nc-sa/4.0/),
and so are these files. They are not under the licence of the rest of the package.

scripts/build_examples.py makes them.
"""


def main() -> None:
    """Place the units and write one file per example, and the licence."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parents[1] / "huidurep_hf" / "simulation" / "recordings" / "examples"
    parser.add_argument("--output", type=Path, default=default, help="folder (default: %(default)s)")
    output = parser.parse_args().output

    output.mkdir(parents=True, exist_ok=True)
    (output / "LICENSE.txt").write_text(LICENSE, encoding="utf-8")
    for name, parameters in EXAMPLES.items():
        path = output / f"{name}.npz"
        save_templates(path, place_units(parameters), parameters.probe)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
