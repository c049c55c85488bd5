"""What each choice is worth: train variants of one run on as many pairs of spikes, and compare their embeddings."""

import dataclasses
import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from tqdm import tqdm

from .embedding import METHOD, agreement, cluster_by_density, cluster_by_mixture
from .features import model_features, own_features
from .run_record import ResultFile, describe_environment
from .spikes import TrueSpikes, true_spikes
from .tables import markdown_table, mean_and_sd

logger = logging.getLogger("huidurep_hf")

FEATURES = ("model", "model + own location")


@dataclass(frozen=True)
class AblationParameters:
    """What is compared.

    Attributes:
        base: fields of `PretrainingArguments` that all arms share.
        arms: name -> fields that differ; `model` and `views` are merged with those of `base`.
        seeds: of the training, one run of each arm for each.
        recording_seeds: development recordings, one of each condition for each.
        num_mixture_seeds: Gaussian mixtures per set of features.
    """

    base: dict
    arms: dict[str, dict]
    seeds: tuple[int, ...] = (0,)
    recording_seeds: tuple[int, ...] = (900, 901)
    num_mixture_seeds: int = 3

    @classmethod
    def from_yaml(cls, path: str | Path, **overrides) -> "AblationParameters":
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


def ablate(
    parameters: AblationParameters, output: str | Path, arms: tuple[str, ...] | None = None, progress: bool = True
) -> dict:
    """Train and measure every arm; go on where an earlier call was cut short.

    The recordings are those of `DEVELOPMENT_CONDITIONS`, never those that figures are reported on. A run's folder is
    deleted once it is measured.

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
    spikes = development_spikes(parameters.recording_seeds) if cases else {}
    for arm, seed in tqdm(cases, desc="ablate", disable=not progress):
        folder = Path(output).with_suffix("") / f"{arm.replace(' ', '_').replace('/', '_')}-{seed}"
        results.add_row({"arm": arm, "seed": seed, **_run_arm(parameters, arm, seed, folder, spikes, progress)})
        shutil.rmtree(folder)
    return results.content


def plain_changes(parameters: AblationParameters, arm: str) -> dict:
    """Return what an arm changes, as JSON gives it back."""
    return json.loads(json.dumps(parameters.arms[arm] or {}))


def development_spikes(recording_seeds) -> dict[str, list[TrueSpikes]]:
    """True spikes of the development recordings, by condition."""
    from ..simulation.recordings import DEVELOPMENT_CONDITIONS, generate_recording

    found = {}
    for condition, recording_parameters in DEVELOPMENT_CONDITIONS.items():
        found[condition] = []
        for seed in recording_seeds:
            truth = generate_recording(dataclasses.replace(recording_parameters, seed=seed))
            spikes = true_spikes(truth.recording, truth.sorting, truth.unit_snr, max_spikes_per_unit=150, seed=seed)
            found[condition].append(spikes)
    return found


def ablation_table(content: dict) -> str:
    """Mean ± SD over training seeds of the agreement, an arm per line, the conditions' mean last."""
    rows = content["rows"]
    if not rows:
        return "No figures."
    conditions = list(rows[0]["mixture_ari"]["model"])
    lines = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        of_arm = [row for row in rows if row["arm"] == arm]
        cells = [
            mean_and_sd([row["mixture_ari"]["model"][condition] for row in of_arm], digits=3)
            for condition in conditions
        ]
        for features in FEATURES:
            scores = [row["mixture_ari"].get(features) for row in of_arm]
            cells.append(mean_and_sd([np.mean(list(s.values())) for s in scores if s is not None], digits=3))
        cells.append(mean_and_sd([np.mean(list(row["density_ari"].values())) for row in of_arm], digits=3))
        pairs_per_s = np.median([row["pairs_seen"] / row["seconds"] for row in of_arm])
        lines.append([arm, *cells, f"{of_arm[0]['num_parameters']:,}", f"{pairs_per_s:.0f}"])
    header = ["", *conditions, "mean", "mean, with own location", "mean, HDBSCAN", "parameters", "pairs/s"]
    return markdown_table(header, lines)


def _run_arm(parameters, arm, seed, folder, spikes, progress) -> dict:
    """Train an arm and measure it; plain JSON values."""
    from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ..model.modeling_huidurep import HuiduRepModel
    from ..pretraining.arguments import PretrainingArguments
    from ..pretraining.trainer import Pretrainer

    arguments = PretrainingArguments.from_dict(parameters.arguments(arm, seed))
    trainer = Pretrainer(arguments, folder, cpu=True)
    checkpoint = trainer.run(resume=folder.exists(), progress_bar=progress)
    model = HuiduRepModel.from_pretrained(checkpoint)
    extractor = HuiduRepFeatureExtractor.from_pretrained(checkpoint)
    scores = {"mixture_ari": {}, "density_ari": {}}
    for condition, recordings in spikes.items():
        of_condition = [_score(one, model, extractor, parameters.num_mixture_seeds) for one in recordings]
        for features in of_condition[0]:
            mixture = [found[features][0] for found in of_condition]
            scores["mixture_ari"].setdefault(features, {})[condition] = float(np.mean(mixture))
        scores["density_ari"][condition] = float(np.mean([found["model"][1] for found in of_condition]))
    return {
        **scores,
        "changes": plain_changes(parameters, arm),
        "num_parameters": model.num_parameters(),
        "pairs_seen": trainer.progress.step * arguments.batch_size,
        "seconds": trainer.progress.seconds,
    }


def _score(spikes: TrueSpikes, model, extractor, num_seeds: int) -> dict[str, tuple[float, float]]:
    """Agreement by mixture and by density of each set of features that a model gives."""
    features = own_features(spikes, model_features(spikes, model, extractor))
    num_units = len(np.unique(spikes.labels))
    return {
        name: (
            agreement(spikes.labels, cluster_by_mixture(features[name], num_units, range(num_seeds)))[0],
            agreement(spikes.labels, cluster_by_density(features[name])[None])[0],
        )
        for name in FEATURES
        if name in features
    }
