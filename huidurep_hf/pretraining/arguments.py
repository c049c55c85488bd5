"""What a pretraining run is asked to do: one file of YAML."""

import dataclasses
import difflib
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ..model.configuration_huidurep import HuiduRepConfig
from .view_parameters import ViewParameters

FREE_FIELDS = (
    "temperature",
    "denoising_weight",
    "location_weight",
    "objective",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
)
"""Fields of `HuiduRepConfig` on which no weight's meaning depends."""


@dataclass(frozen=True)
class PretrainingArguments:
    """A pretraining run.

    Args:
        dataset: folder or hub name of a spike dataset, or a list of several.
        noise: file of real noise that views draw from too (see `scripts/noise_from_recording.py`); none if left out.
        model: fields of `HuiduRepConfig` that differ from its defaults.
        paper: train the published architecture instead of ours.
        start: folder or hub name of a checkpoint that training goes on from, with its weights, heads and
            configuration; of the latter `model` may change objective, weights of losses, temperature and dropout.
        views: ranges of the views.
        max_displacement_um: farthest that the two spikes of a pair may lie apart along the probe by the unit's drift;
            0 for pairs of one and the same waveform.
        num_steps: optimiser steps.
        batch_size: pairs of spikes in a step, over all processes.
        pairs_per_unit: how many of them are of one unit; means of units, which the objective of prototypes takes, need
            several.
        gradient_accumulation_steps: parts that a step's batch is cut into; each part has its own negatives.
        learning_rate: its highest value.
        num_warmup_steps: steps until it is reached; then it falls along a cosine to `final_learning_rate`.
        final_learning_rate: its last value, as a fraction of the highest.
        weight_decay: of AdamW, on weights of two or more dimensions.
        max_gradient_norm: gradients are scaled down to this norm.
        momentum: of the momentum branch, if the model has one, at the first step; it rises to `final_momentum` along a
            cosine.
        final_momentum: its last value.
        num_validation_units: units kept from training to watch it on; never the held-out test split. Other units of
            the same neurons, in other poses, are trained on: the figure says that training goes on well, no more.
        log_every, evaluate_every, checkpoint_every: in steps.
        seed: of weights, batches and views.

    Raises:
        ValueError: a number of steps below 1.
    """

    dataset: str | list[str] = "data/spikes"
    noise: str | None = None
    model: dict = field(default_factory=dict)
    paper: bool = False
    start: str | None = None
    views: ViewParameters = field(default_factory=ViewParameters)
    max_displacement_um: float = 80.0
    num_steps: int = 3000
    batch_size: int = 512
    pairs_per_unit: int = 1
    gradient_accumulation_steps: int = 1
    learning_rate: float = 1e-3
    num_warmup_steps: int = 200
    final_learning_rate: float = 0.01
    weight_decay: float = 1e-2
    max_gradient_norm: float = 1.0
    momentum: float = 0.99
    final_momentum: float = 1.0
    num_validation_units: int = 600
    log_every: int = 20
    evaluate_every: int = 250
    checkpoint_every: int = 250
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_steps", "log_every", "evaluate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 1 or more steps.")

    @classmethod
    def from_yaml(cls, path: str | Path, **overrides) -> "PretrainingArguments":
        """Read arguments from YAML; `overrides` replace what the file says.

        Raises:
            ValueError: if the file is missing, or names a field that does not exist; the nearest one is named.
        """
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"No configuration file {str(path)!r}; examples lie in scripts/configs/.")
        values = yaml.safe_load(path.read_text()) or {}
        return cls.from_dict({**values, **overrides})

    @classmethod
    def from_dict(cls, values: dict) -> "PretrainingArguments":
        """Make arguments of plain values.

        Raises:
            ValueError: a name that does not exist, or a value that is no number where one is needed.
        """
        views = values.get("views") or {}
        check_names(views, [item.name for item in dataclasses.fields(ViewParameters)], "views")
        check_names(values, [item.name for item in dataclasses.fields(cls)], "the configuration")
        ranges = ViewParameters(**_as_numbers(views, ViewParameters))
        return cls(**{**_as_numbers(values, cls), "views": ranges})

    def build_config(self) -> HuiduRepConfig:
        """Return the model's configuration.

        Raises:
            ValueError: a field that does not exist, or one that weights to start from have settled.
            OSError: there is no checkpoint to start from.
        """
        check_names(self.model, list(HuiduRepConfig().to_dict()), "model")
        if self.start is not None:
            settled = sorted(set(self.model) - set(FREE_FIELDS)) + ["paper"] * self.paper
            if settled:
                raise ValueError(
                    f"{self.start!r} settles {', '.join(settled)}; leave out start, or in `model` what is not among "
                    f"{', '.join(FREE_FIELDS)}."
                )
            return HuiduRepConfig.from_pretrained(self.start, **self.model)
        return HuiduRepConfig.paper(**self.model) if self.paper else HuiduRepConfig(**self.model)


def parse_overrides(items: list[str]) -> dict:
    """Read `NAME=VALUE`, as a command line gives them; values are YAML.

    Raises:
        ValueError: an item without a value, or one that is no YAML.
    """
    overrides = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not (name and equals):
            raise ValueError(f"Got {item!r}; write NAME=VALUE, without spaces, such as num_steps=100.")
        try:
            overrides[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"Got {item!r}, of which the value is no YAML; write NAME=VALUE, quoted.") from error
    return overrides


def _as_numbers(values: dict, owner: type) -> dict:
    """Bring numbers, and pairs of them, to the type of a dataclass's field."""
    numbers = dict(values)
    for item in dataclasses.fields(owner):
        if item.name not in values:
            continue
        value = values[item.name]
        if item.type in (int, float):
            numbers[item.name] = _as_number(item.name, value, item.type)
        elif item.type == tuple[float, float]:
            if not isinstance(value, (list, tuple)) or len(value) != 2:
                raise ValueError(f"{item.name} is {value!r}; give the range that it is drawn from, such as [0.5, 1.0].")
            numbers[item.name] = tuple(_as_number(item.name, end, float) for end in value)
    return numbers


def _as_number(name: str, value: object, kind: type) -> int | float:
    try:
        # YAML reads 1e-3, which has no point, as text.
        number = float(value) if isinstance(value, str) else value
        if isinstance(number, (int, float)) and not isinstance(number, bool) and kind(number) == number:
            return kind(number)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{name} is {value!r}; give {'a whole number' if kind is int else 'a number'}.")


def check_names(values: dict, known: list[str], place: str) -> None:
    """Raise a `ValueError` that names the nearest known name of each unknown one."""
    for name in values:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {nearest[0]!r}?" if nearest else f" There are: {', '.join(known)}."
            raise ValueError(f"Unknown name {name!r} in {place}.{hint}")
