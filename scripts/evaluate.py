"""Print and save every figure of a model's card: embeddings at true spike times and denoiser, on held-out recordings.

python scripts/evaluate.py --model huidurep/base --output results/base.json
python scripts/evaluate.py --model huidurep_hf/hub/checkpoints/base --output model_cards/base/evaluation.json --card
"""

from __future__ import annotations

import argparse
import logging
import sys

from huidurep_hf.evaluation.records.tables import report
from huidurep_hf.evaluation.representation.model_figures import EvaluationParameters, evaluate
from huidurep_hf.hub.model_card import write_model_card
from huidurep_hf.pretraining.arguments import parse_overrides
from huidurep_hf.simulation.recordings.recordings import RECORDING_CONDITIONS


def main() -> None:
    """Evaluate, print the tables, name the file; exit code 1 for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="hub name or folder of a checkpoint")
    parser.add_argument("--output", required=True, help="JSON file of the figures; an existing one is continued")
    parser.add_argument("--conditions", nargs="+", default=list(RECORDING_CONDITIONS), metavar="CONDITION")
    parser.add_argument("--recording-seeds", nargs="+", type=int, default=[100, 101, 102], metavar="SEED")
    parser.add_argument("--mixture-seeds", type=int, default=10, help="Gaussian mixtures per set of features")
    parser.add_argument("--max-spikes-per-unit", type=int, default=200)
    parser.add_argument(
        "--no-variants", action="store_true", help="leave out other rates, short windows and dead channels: most passes"
    )
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="fields of the config, such as fuse_denoised=false"
    )
    parser.add_argument("--device", help="cpu, cuda, ...; a GPU where there is one if left out")
    parser.add_argument("--card", action="store_true", help="write the model's card from the figures, into its folder")
    parser.add_argument("--training", help="record of the training run for the card; the folder's training.json")
    parser.add_argument("--benchmark", help="rows of scripts/benchmark.py, for the card's section on sorting")
    parser.add_argument("--tracking", help="rows of scripts/benchmark_tracking.py, for its section on sessions")
    parser.add_argument("--quiet", action="store_true", help="no log and no progress bar")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR if options.quiet else logging.WARNING, format="%(message)s")
    parameters = EvaluationParameters(
        conditions=tuple(options.conditions),
        recording_seeds=tuple(options.recording_seeds),
        num_mixture_seeds=options.mixture_seeds,
        max_spikes_per_unit=options.max_spikes_per_unit,
        with_variants=not options.no_variants,
    )
    try:
        content = evaluate(
            options.model,
            options.output,
            parameters,
            config_changes=parse_overrides(options.set),
            device=options.device,
            progress=not options.quiet,
        )
        if options.card:
            card = write_model_card(
                options.model,
                options.output,
                options.training,
                benchmark_json=options.benchmark,
                tracking_json=options.tracking,
            )
    except (ValueError, OSError) as error:
        sys.exit(f"evaluate.py: {error}")
    print(report(content))
    print(f"\nFigures: {options.output}")
    if options.card:
        print(f"Card: {card}")


if __name__ == "__main__":
    main()
