"""Train variants of the encoder on as many pairs of spikes and compare them on generated recordings.

python scripts/ablate.py --config scripts/configs/ablation.yaml --output results/ablation.json --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import logging
import sys

from huidurep_hf.evaluation.representation.ablation import AblationParameters, ablate, ablation_table


def main() -> None:
    """Run, print the table, name the file; exit code 1 with one line for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="YAML file with `base` and `arms`")
    parser.add_argument("--output", required=True, help="JSON file of the rows; an existing one is continued")
    parser.add_argument("--arms", nargs="+", metavar="ARM", help="some of the arms (default: all)")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="SEED", help="default: those of the config, or 0")
    parser.add_argument("--quiet", action="store_true", help="no log and no progress bar")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR if options.quiet else logging.WARNING, format="%(message)s")
    seeds = {"seeds": tuple(options.seeds)} if options.seeds else {}
    try:
        parameters = AblationParameters.from_yaml(options.config, **seeds)
        arms = tuple(options.arms) if options.arms else None
        content = ablate(parameters, options.output, arms, progress=not options.quiet)
    except (ValueError, OSError) as error:
        sys.exit(f"ablate.py: {error}")
    print(ablation_table(content))
    print(f"\nRows: {options.output}")


if __name__ == "__main__":
    main()
