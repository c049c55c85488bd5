"""Model cards: written from configuration, training run and measured figures, never by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

TEMPLATE = Path(__file__).with_name("card_template.md")
CELL_MODEL_LICENSE = "cc-by-nc-sa-4.0"
OPEN_LICENSE = "apache-2.0"
TAGS = ["spike-sorting", "neuroscience", "electrophysiology", "huidurep"]
CARD_METHODS = ("model", "model + location")
CARD_FILE = "README.md"
# Of figures that do not say it; they are older than the choice.
OLD_LOCATION_WEIGHT = "variance of one feature in each of its two columns"


def write_model_card(
    folder: str | Path,
    results_json: str | Path,
    training_json: str | Path | None = None,
    *,
    benchmark_json: str | Path | None = None,
    tracking_json: str | Path | None = None,
    model_id: str | None = None,
) -> Path:
    """Write the card of a checkpoint, `README.md` in its folder, and the pictures that it shows.

    Args:
        folder: checkpoint folder, with `config.json` and weights.
        results_json: figures of these very weights, written by `scripts/evaluate.py`. A `description.md` beside it is
            what the card begins with.
        training_json: record of the training run; `training.json` in the folder if left out.
        benchmark_json: rows written by `scripts/benchmark.py`; the card has no sorting section if left out.
        tracking_json: rows written by `scripts/benchmark_tracking.py`; no section on sessions if left out.
        model_id: name on the hub; `huidurep/<name of the folder>` if left out.

    Returns:
        Path of the card.

    Raises:
        ValueError: not a checkpoint folder; or figures are absent, incomplete or of other weights: there is no card
            without its figures.
        FileNotFoundError: a file is missing; the message names it.
    """
    from huggingface_hub import ModelCard

    from ..evaluation.sorters.benchmark import benchmark_table
    from ..evaluation.sorters.benchmark_lead import lead_table
    from ..evaluation.sorters.benchmark_plots import draw_benchmark
    from ..evaluation.sorters.sorting_process import OUR_SORTER
    from ..evaluation.tracking.methods.names import OUR_METHOD
    from ..evaluation.tracking.tracking_tables import lead_table as tracking_lead_table
    from .card_plots import draw_card_plots

    folder = Path(folder)
    if not (folder / "config.json").exists():
        raise ValueError(f"{folder} is no checkpoint folder (it has no config.json); give the folder, not a hub name.")
    model_id = model_id or f"huidurep/{folder.resolve().name}"
    results = _read(results_json, "figures; make them with scripts/evaluate.py")
    training = _read(training_json or folder / "training.json", "training record, which scripts/pretrain.py writes")
    check_figures(results, folder)
    sorts = _read_rows(benchmark_json, "benchmark", ("sorter", OUR_SORTER), results) if benchmark_json else []
    tracked = _read_rows(tracking_json, "benchmark_tracking", ("method", OUR_METHOD), results) if tracking_json else []
    card = ModelCard.from_template(
        card_metadata(model_id, results, weights_license(training)),
        template_path=str(TEMPLATE),
        model_id=model_id,
        results_name=Path(results_json).name,
        benchmark=f"{lead_table(sorts)}\n\n{benchmark_table(sorts)}" if sorts else None,
        benchmark_seeds=sorted({row["recording_seed"] for row in sorts}),
        benchmark_plots=draw_benchmark(sorts, folder),
        tracking=tracking_lead_table(tracked) if tracked else None,
        tracking_seeds=sorted({row["seed"] for row in tracked}),
        plots=draw_card_plots(results["rows"], folder),
        **_card_values(Path(results_json).with_name("description.md"), folder, results, training),
    )
    path = folder / CARD_FILE
    beside = path.with_name(CARD_FILE + ".partial")
    beside.write_text(str(card).rstrip() + "\n", encoding="utf-8")
    os.replace(beside, path)
    return path


def check_figures(results: dict, folder: str | Path) -> None:
    """Refuse figures that are absent or that other weights gave.

    Args:
        results: content of a file written by `scripts/evaluate.py`.
        folder: the checkpoint that they are to describe.

    Raises:
        ValueError: naming what is missing.
    """
    from ..evaluation.records.run_record import hash_weights
    from ..model.modeling_huidurep import HuiduRepModel

    rows = results.get("rows") or []
    if not rows:
        raise ValueError("There are no evaluation figures, so no card is written; run scripts/evaluate.py first.")
    for row in rows:
        for method in CARD_METHODS:
            scores = row.get("methods", {}).get(method, {}).get("all", {}).get("mixture_ari")
            if not scores or not np.isfinite(scores).all():
                raise ValueError(
                    f"The figures have no agreement of {method!r} on {row.get('condition')!r}, seed "
                    f"{row.get('recording_seed')}; run scripts/evaluate.py again."
                )
    measured, given = results["identity"]["model_sha256"], hash_weights(HuiduRepModel.from_pretrained(folder))
    if measured != given:
        raise ValueError(
            f"The figures are of weights {measured[:12]}, but {folder} holds {given[:12]}; run scripts/evaluate.py on "
            "this checkpoint."
        )


def weights_license(training: dict) -> str:
    """Return the licence of weights, which follows from that of the spikes they were trained on.

    Raises:
        ValueError: a dataset states no licence that we know how to pass on.
    """
    licenses = set(training["data"]["licenses"])
    if not licenses <= {OPEN_LICENSE, CELL_MODEL_LICENSE}:
        raise ValueError(
            f"The training data's licences are {sorted(licenses)}; the card can pass on {OPEN_LICENSE} and "
            f"{CELL_MODEL_LICENSE}. State the licence in the dataset's dataset_infos.json."
        )
    return CELL_MODEL_LICENSE if CELL_MODEL_LICENSE in licenses else OPEN_LICENSE


def card_metadata(model_id: str, results: dict, license: str) -> ModelCardData:
    """Return the `huggingface_hub.ModelCardData` of a card: licence, tags and figures as `model-index`."""
    from huggingface_hub import EvalResult, ModelCardData

    rows = results["rows"]
    figures = []
    for condition in dict.fromkeys(row["condition"] for row in rows):
        of_condition = [row for row in rows if row["condition"] == condition]
        for method in CARD_METHODS:
            scores = np.concatenate([row["methods"][method]["all"]["mixture_ari"] for row in of_condition])
            figures.append(
                EvalResult(
                    task_type="feature-extraction",
                    task_name="Spike embedding at true spike times",
                    dataset_type="simulated-ground-truth-recordings",
                    dataset_name=f"Held-out cells and probes, {condition}",
                    dataset_config=condition,
                    dataset_args={"recording_seeds": [row["recording_seed"] for row in of_condition]},
                    metric_type="adjusted_rand_index",
                    metric_name=f"ARI of a Gaussian mixture, {method}",
                    metric_value=round(float(scores.mean()), 4),
                )
            )
    return ModelCardData(
        license=license,
        library_name="transformers",
        # A task that our code registers, and so the one that `pipeline(model=...)` runs.
        pipeline_tag="spike-embedding",
        tags=TAGS,
        model_name=model_id,
        eval_results=figures,
    )


def _card_values(description: Path, folder: Path, results: dict, training: dict) -> dict:
    from ..evaluation.records.tables import report
    from ..model.configuration_huidurep import HuiduRepConfig
    from ..simulation.electrodes.probes import HELD_OUT_PROBES
    from ..simulation.neurons.cells import HELD_OUT_CELLS

    config = HuiduRepConfig.from_pretrained(folder)
    used_runs = sorted({row["run"] for row in results["rows"]})
    return {
        "description": description.read_text().strip() if description.exists() else "A HuiduRep spike encoder.",
        "parameters": f"{results['identity']['num_parameters']:,}",
        "encoder_type": config.encoder_type,
        "config": config,
        "held_out_cells": ", ".join(HELD_OUT_CELLS),
        "held_out_probes": ", ".join(HELD_OUT_PROBES),
        "neurons": ", ".join(training["data"]["neurons"]),
        "probes": ", ".join(training["data"]["probes"]),
        "is_recorded": "recorded" in training["data"]["neurons"],
        "is_open": weights_license(training) == OPEN_LICENSE,
        "location_weight": results["identity"].get("method", {}).get("location", OLD_LOCATION_WEIGHT),
        "evaluation": report(results),
        "runs": [results["runs"][run] for run in used_runs],
        "model_sha256": results["identity"]["model_sha256"],
        "throughput": round(float(np.median([row["spikes_per_s"] for row in results["rows"]]))),
        "training": training,
        "training_arguments": json.dumps(training["arguments"], indent=2),
    }


def _read_rows(rows_json: str | Path, script: str, ours: tuple[str, str], results: dict) -> list[dict]:
    """Rows that a script wrote; ours, by the value of a column, must be of the weights that the figures are of."""
    rows = _read(rows_json, f"rows of scripts/{script}.py, which makes them")["rows"]
    column, name = ours
    given = {row["model_sha256"] for row in rows if row[column] == name}
    measured = results["identity"]["model_sha256"]
    if given != {measured}:
        raise ValueError(
            f"The rows of {name} in {rows_json} are of weights {sorted(sha[:12] for sha in given)}, the figures of "
            f"{measured[:12]}; run scripts/{script}.py with this checkpoint."
        )
    return rows


def _read(path: str | Path, what: str) -> dict:
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: it holds the {what}.")
    return json.loads(path.read_text())
