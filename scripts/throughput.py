"""Print where a training step's time goes, and what the readers give against what it needs.

python scripts/throughput.py --config scripts/configs/base.yaml
"""

import argparse
import sys
import tempfile

from huidurep_hf.pretraining.arguments import PretrainingArguments, parse_overrides
from huidurep_hf.pretraining.throughput import report_throughput
from huidurep_hf.pretraining.trainer import Pretrainer


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="YAML file of PretrainingArguments")
    parser.add_argument("--num-steps", type=int, default=10)
    parser.add_argument("--cpu", action="store_true", help="stay on the CPU")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="replace fields of the config, such as batch_size=64"
    )
    options = parser.parse_args()
    try:
        arguments = PretrainingArguments.from_yaml(options.config, **parse_overrides(options.set))
        with tempfile.TemporaryDirectory() as folder:
            trainer = Pretrainer(arguments, folder, cpu=options.cpu)
            print(report_throughput(trainer, options.num_steps))
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
