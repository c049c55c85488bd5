"""What each choice is worth: train variants of one run on as many pairs of spikes, and compare what they give."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml
from tqdm import tqdm

from ..records.run_record import ResultFile, describe_environment
from ..records.tables import markdown_table, mean_and_sd
from .added_spikes import add_spikes_at_rest, model_gain_db
from .embedding import METHOD, agreement, cluster_by_density, cluster_by_kmeans, cluster_by_mixture
from .feature_sets import model_features, own_features
from .true_spikes import TrueSpikes, true_spikes

if TYPE_CHECKING:
    from ...model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ...model.modeling_huidurep import HuiduRepModel

logger = logging.getLogger("huidurep_hf")

FEATURES = ("model", "model + own location")
RECORDINGS = ("development", "held_out")
FAINT_SNR = (4.0, 8.0)
MAX_SPIKES_PER_UNIT = 150


@dataclass(frozen=True)
class AblationParameters:
    """What is compared.

    Attributes:
        base: fields of `PretrainingArguments` that all arms share.
        arms: name -> fields that differ; `model` and `views` are merged with those of `base`.
        seeds: of the training, one run of each arm for each.
        recordings: `development` (`DEVELOPMENT_CONDITIONS`: cells and probes that may be trained on), by which choices
            are made; or `held_out` (`RECORDING_CONDITIONS`), by which none may be.
        recording_seeds: one recording of each condition for each.
        num_mixture_seeds: Gaussian mixtures per set of features.

    Raises:
        ValueError: unknown recordings.
    """

    base: dict
    arms: dict[str, dict]
    seeds: tuple[int, ...] = (0,)
    recordings: str = "development"
    recording_seeds: tuple[int, ...] = (900, 901)
    num_mixture_seeds: int = 3

    def __post_init__(self) -> None:
        if self.recordings not in RECORDINGS:
            raise ValueError(f"Got recordings {self.recordings!r}; expected one of {list(RECORDINGS)}.")

    @classmethod
    def from_yaml(cls, path: str | Path, **overrides) -> AblationParameters:
        """Read `base` and `arms`, and whatever else differs from the defaults.

        Raises:
            ValueError: no such file, or it does not name both.
        """
        path = Path(path)
        values = yaml.safe_load(path.read_text()) if path.is_file() else None
        if not isinstance(values, dict) or not {"base", "arms"} <= set(values):
            raise ValueError(f"{str(path)!r} is no ablation: a YAML file with `base` and `arms`; see scripts/configs/.")
        return cls(**{**values, **overrides})

    def arguments(self, arm: str, seed: int) -> dict:
        """Return the fields of `PretrainingArguments` of a run."""
        changes = self.arms[arm] or {}
        merged = {key: {**self.base.get(key, {}), **changes.get(key, {})} for key in ("model", "views")}
        return {**self.base, **changes, **merged, "seed": seed}


@dataclass(frozen=True)
class MeasuredSpikes:
    """What arms are measured on, of one recording.

    Attributes:
        spikes: its true spikes, for the embedding.
        noisy: spikes that were added to it, for the denoiser.
        clean: their clean waveforms, of the shape of `noisy.waveforms`.
    """

    spikes: TrueSpikes
    noisy: TrueSpikes
    clean: np.ndarray


def ablate(
    parameters: AblationParameters, output: str | Path, arms: tuple[str, ...] | None = None, progress: bool = True
) -> dict:
    """Train and measure every arm; go on where an earlier call was cut short.

    A run's folder is deleted once it is measured.

    Args:
        parameters: what to compare.
        output: JSON file of the rows; runs lie beside it while they train, and a stopped one is resumed.
        arms: some of the arms; all if left out.
        progress: show progress bars.

    Returns:
        The content of the file, one row per arm and seed.

    Raises:
        ValueError: an unknown arm, or a file of another comparison.
    """
    unknown = sorted(set(arms or ()) - set(parameters.arms))
    if unknown:
        raise ValueError(f"Unknown arms {unknown}; there are {list(parameters.arms)}.")
    identity = {
        "base": parameters.base,
        "recordings": parameters.recordings,
        "recording_seeds": list(parameters.recording_seeds),
        "num_mixture_seeds": parameters.num_mixture_seeds,
        "method": METHOD,
    }
    results = ResultFile(output, identity)
    results.add_run(describe_environment())
    cases = [(arm, seed) for seed in parameters.seeds for arm in arms or parameters.arms]
    for row in results.rows:
        if row["arm"] in parameters.arms and row["changes"] != plain_changes(parameters, row["arm"]):
            raise ValueError(
                f"{output} holds rows of another arm {row['arm']!r}: {row['changes']}, not "
                f"{plain_changes(parameters, row['arm'])}. Give the arm another name, or another output file."
            )
    cases = [case for case in cases if not results.has_row(arm=case[0], seed=case[1])]
    measured = measured_spikes(parameters.recordings, parameters.recording_seeds) if cases else {}
    for arm, seed in tqdm(cases, desc="ablate", disable=not progress):
        folder = Path(output).with_suffix("") / f"{arm.replace(' ', '_').replace('/', '_')}-{seed}"
        results.add_row({"arm": arm, "seed": seed, **_run_arm(parameters, arm, seed, folder, measured, progress)})
        shutil.rmtree(folder)
    return results.content


def plain_changes(parameters: AblationParameters, arm: str) -> dict:
    """Return what an arm changes, as JSON gives it back."""
    return json.loads(json.dumps(parameters.arms[arm] or {}))


def measured_spikes(recordings: str, recording_seeds: Sequence[int]) -> dict[str, list[MeasuredSpikes]]:
    """Spikes of generated recordings, by condition."""
    from ...simulation.recordings.recordings import DEVELOPMENT_CONDITIONS, RECORDING_CONDITIONS, generate_recording

    found = {}
    conditions = DEVELOPMENT_CONDITIONS if recordings == "development" else RECORDING_CONDITIONS
    for condition, recording_parameters in conditions.items():
        found[condition] = []
        for seed in recording_seeds:
            seeded = dataclasses.replace(recording_parameters, seed=seed)
            truth = generate_recording(seeded)
            # Generated as it is read; it will be read several times.
            recording = truth.recording.save(format="memory", progress_bar=False, verbose=False)
            spikes = true_spikes(
                recording, truth.sorting, truth.unit_snr, max_spikes_per_unit=MAX_SPIKES_PER_UNIT, seed=seed
            )
            found[condition].append(MeasuredSpikes(spikes, *add_spikes_at_rest(recording, seeded)))
    return found


def ablation_table(content: dict) -> str:
    """Mean ± SD over training seeds, an arm per line: agreement by k-means in each condition, means over conditions."""
    rows = content["rows"]
    if not rows:
        return "No figures."
    conditions = list(rows[0]["kmeans_ari"]["model"])
    lines = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        of_arm = [row for row in rows if row["arm"] == arm]
        scores = [[row["kmeans_ari"]["model"][condition] for row in of_arm] for condition in conditions]
        for method in ("kmeans_ari", "mixture_ari", "density_ari"):
            scores += [_means(row[method].get(features) for row in of_arm) for features in FEATURES]
        cells = [mean_and_sd(of_cell, digits=3) for of_cell in scores]
        gain = mean_and_sd(_means(row["denoiser_gain_db"] for row in of_arm), digits=1)
        lines.append([arm, *cells, gain, f"{of_arm[0]['num_parameters']:,}"])
    means = [f"{method}{where}" for method in ("k-means", "mixture", "HDBSCAN") for where in ("", ", own location")]
    return markdown_table(["", *conditions, *means, "denoiser (dB)", "parameters"], lines)


def _means(by_condition: Iterable[dict[str, float] | None]) -> list[float]:
    """The mean over conditions of each run that has figures."""
    return [float(np.mean(list(scores.values()))) for scores in by_condition if scores]


def _run_arm(
    parameters: AblationParameters,
    arm: str,
    seed: int,
    folder: Path,
    measured: dict[str, list[MeasuredSpikes]],
    progress: bool,
) -> dict:
    """Train an arm and measure it; plain JSON values."""
    from ...model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ...model.modeling_huidurep import HuiduRepModel
    from ...pretraining.arguments import PretrainingArguments
    from ...pretraining.trainer import Pretrainer

    asked = parameters.arguments(arm, seed)
    arguments = PretrainingArguments.from_dict(asked)
    _forget_other_run(folder, asked)
    trainer = Pretrainer(arguments, folder, cpu=True)
    checkpoint = trainer.run(resume=True, progress_bar=progress)
    model = HuiduRepModel.from_pretrained(checkpoint)
    extractor = HuiduRepFeatureExtractor.from_pretrained(checkpoint)
    scores = {"kmeans_ari": {}, "mixture_ari": {}, "density_ari": {}}
    gains = {}
    for condition, recordings in measured.items():
        of_condition = [_agreements(one.spikes, model, extractor, parameters.num_mixture_seeds) for one in recordings]
        for method, of_method in scores.items():
            for features in of_condition[0]:
                mean = np.mean([found[features][method] for found in of_condition])
                of_method.setdefault(features, {})[condition] = float(mean)
        gain = [model_gain_db(one.noisy, one.clean, model, extractor, FAINT_SNR) for one in recordings]
        if np.isfinite(gain).any():
            gains[condition] = float(np.nanmean(gain))
    return {
        **scores,
        "denoiser_gain_db": gains,
        "changes": plain_changes(parameters, arm),
        "num_parameters": model.num_parameters(),
        "pairs_seen": trainer.progress.step * arguments.batch_size,
        "seconds": trainer.progress.seconds,
    }


def _forget_other_run(folder: Path, arguments: dict) -> None:
    """Delete what a stopped call left of this arm if it asked for something else; note what is asked for now."""
    asked = folder / "asked.json"
    if folder.exists() and not (asked.is_file() and json.loads(asked.read_text()) == arguments):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    asked.write_text(json.dumps(arguments))


def _agreements(
    spikes: TrueSpikes, model: HuiduRepModel, extractor: HuiduRepFeatureExtractor, num_seeds: int
) -> dict[str, dict[str, float]]:
    """Agreement with the truth of each set of features that a model gives, by k-means, mixture and density."""
    features = own_features(spikes, model_features(spikes, model, extractor))
    num_units = len(np.unique(spikes.labels))
    found = {}
    for name in FEATURES:
        if name in features:
            clusterings = {
                "kmeans_ari": cluster_by_kmeans(features[name], num_units),
                "mixture_ari": cluster_by_mixture(features[name], num_units, range(num_seeds)),
                "density_ari": cluster_by_density(features[name])[None],
            }
            found[name] = {method: agreement(spikes.labels, of_all)[0] for method, of_all in clusterings.items()}
    return found
