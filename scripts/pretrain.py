"""Pretrain a HuiduRep model.

    accelerate launch scripts/pretrain.py --config scripts/configs/base.yaml --output runs/base

Runs on one CPU process, on several, or on GPUs, as `accelerate launch` says. A run that was stopped goes on with
`--resume`. TensorBoard: `tensorboard --logdir runs/base/logs`.
"""

from __future__ import annotations

import argparse
import logging
import sys

from huidurep_hf.pretraining.arguments import PretrainingArguments, parse_overrides
from huidurep_hf.pretraining.trainer import Pretrainer


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="YAML file of PretrainingArguments; see scripts/configs/")
    parser.add_argument("--output", required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's last checkpoint")
    parser.add_argument("--cpu", action="store_true", help="stay on the CPU; needed for several CPU processes")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="replace fields of the config, such as num_steps=100"
    )
    return parser.parse_args()


def main() -> None:
    """Train as the command line says."""
    options = parse_arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    try:
        arguments = PretrainingArguments.from_yaml(options.config, **parse_overrides(options.set))
        trainer = Pretrainer(arguments, options.output, cpu=options.cpu)
        folder = trainer.run(resume=options.resume, progress_bar=not options.quiet)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    if trainer.accelerator.is_main_process:
        print(f"The model is in {folder}")


if __name__ == "__main__":
    main()
