"""The commands about models rather than sorting: `huidurep embed`, `huidurep card`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..recording.sources.layout_flags import add_layout, open_recording
from ..spike_dataset.folder import is_dataset_folder

if TYPE_CHECKING:
    from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ..model.modeling_huidurep import HuiduRepModel


def add_model_commands(
    commands: argparse._SubParsersAction, common: argparse.ArgumentParser, default_model: str
) -> None:
    """Add them to the parser.

    Args:
        commands: what `add_subparsers` returned.
        common: parent parser of flags that all commands have.
        default_model: hub name.
    """
    embed = commands.add_parser("embed", parents=[common], help="embed a recording or a spike dataset into Parquet")
    embed.add_argument(
        "source", metavar="SOURCE", help="recording as in `sort`; spike dataset: folder, Parquet, hub name"
    )
    embed.add_argument("output", metavar="OUT", type=Path, help="Parquet file, made by this command")
    embed.add_argument("--overwrite", action="store_true", help="replace an earlier file")
    embed.add_argument("--model", default=default_model, help="hub name or folder (default: %(default)s)")
    embed.add_argument("--revision", help="revision of the model on the hub")
    embed.add_argument("--device", help="cpu, cuda, ... (default: a GPU where there is one)")
    embed.add_argument("--batch-size", type=int, default=512, help="spikes in one pass (default: %(default)s)")
    embed.add_argument("--detect-threshold", type=float, default=5.0, help="recording: in SDs of noise (default: 5)")
    embed.add_argument("--split", default="train", help="spike dataset: which split (default: %(default)s)")
    embed.add_argument("--noise-level", type=float, metavar="UV", help="spike dataset of clean spikes: noise SD in µV")
    add_layout(embed)
    embed.set_defaults(run=_embed)

    card = commands.add_parser("card", parents=[common], help="write a model's card from its run and its figures")
    card.add_argument("folder", metavar="FOLDER", type=Path, help="checkpoint folder; README.md and plots go into it")
    card.add_argument("--figures", type=Path, required=True, help="JSON of scripts/evaluate.py, of these weights")
    card.add_argument("--training", type=Path, help="record of the training run (default: the folder's training.json)")
    card.add_argument("--benchmark", type=Path, help="JSON of scripts/benchmark.py, for the section on sorting")
    card.add_argument(
        "--tracking", type=Path, help="JSON of scripts/benchmark_tracking.py, for the section on sessions"
    )
    card.add_argument("--model-id", help="name on the hub (default: huidurep/ and the folder's name)")
    card.set_defaults(run=_card)


def _embed(options: argparse.Namespace) -> None:
    import torch

    from ..device import choose_device
    from ..hub.checkpoints import resolve_checkpoint
    from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ..model.modeling_huidurep import HuiduRepModel

    device = choose_device(options.device)
    if options.output.exists() and not options.overwrite:
        raise FileExistsError(f"{options.output} exists already; choose another file, or add --overwrite.")
    if not options.output.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {options.output.parent} for {options.output.name}; make it first.")
    source = Path(options.source)
    is_hub_name = not source.parent.exists() and options.source.count("/") == 1
    is_dataset = source.suffix == ".parquet" or is_dataset_folder(source) or is_hub_name
    name = resolve_checkpoint(options.model, revision=options.revision)
    model = HuiduRepModel.from_pretrained(name, revision=options.revision, dtype=torch.float32).to(device)
    feature_extractor = HuiduRepFeatureExtractor.from_pretrained(name, revision=options.revision)
    write = _embed_dataset if is_dataset else _embed_recording
    print(f"{write(options, model, feature_extractor)} spikes embedded in {options.output}")


def _embed_dataset(
    options: argparse.Namespace, model: HuiduRepModel, feature_extractor: HuiduRepFeatureExtractor
) -> int:
    from ..embedding.dataset_column import embed_dataset
    from ..spike_dataset.loading import open_spikes

    spikes = open_spikes(options.source, options.split)
    spikes = embed_dataset(
        spikes, model, feature_extractor, noise_level_uv=options.noise_level, batch_size=options.batch_size
    )
    partial = options.output.with_name(options.output.name + ".partial")
    spikes.to_parquet(str(partial))
    partial.replace(options.output)
    return len(spikes)


def _embed_recording(
    options: argparse.Namespace, model: HuiduRepModel, feature_extractor: HuiduRepFeatureExtractor
) -> int:
    from ..embedding.recording import embed_recording

    return embed_recording(
        open_recording(options.source, options),
        options.output,
        model,
        feature_extractor,
        detect_threshold=options.detect_threshold,
        batch_size=options.batch_size,
        progress=not options.quiet,
    )


def _card(options: argparse.Namespace) -> None:
    from ..hub.model_card import write_model_card

    card = write_model_card(
        options.folder,
        options.figures,
        options.training,
        benchmark_json=options.benchmark,
        tracking_json=options.tracking,
        model_id=options.model_id,
    )
    print(f"card      {card}")
