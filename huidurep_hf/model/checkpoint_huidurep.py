# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""Loading and saving of models: whole weights or an error, whole repositories, from safetensors alone."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError

from .card_huidurep import write_first_card
from .feature_extraction_huidurep import HuiduRepFeatureExtractor
from .integrity_huidurep import WeightsError, check_download, check_finite, check_report, check_shards
from .repository_huidurep import push_model
from .resolving_huidurep import CheckpointResolvingMixin

Model = TypeVar("Model", bound="CheckpointMixin")


class CheckpointMixin(CheckpointResolvingMixin):
    """What all HuiduRep models do with folders and the Hub; stands before `PreTrainedModel` among the bases."""

    @classmethod
    def from_pretrained(
        cls: type[Model], pretrained_model_name_or_path: str | Path | None, *args: object, **kwargs
    ) -> Model:
        """As in `transformers`, but whole weights or an error, and from safetensors alone: no pickle is ever opened.

        With `output_loading_info=True` the report says what a checkpoint lacks or has beside, and nothing is refused
        for that.

        Raises:
            ValueError: pickled weights are asked for, or a local folder names a weights file outside itself.
            OSError: there are no safetensors weights of that name; they are broken, missing, unexpected, not finite or
                of another shape; or a download is not what the Hub promised.
        """
        if kwargs.pop("use_safetensors", None) is False:
            raise ValueError("HuiduRep weights are read from safetensors alone; leave use_safetensors out.")
        if pretrained_model_name_or_path is not None:
            check_shards(Path(pretrained_model_name_or_path, kwargs.get("subfolder", "")))
        wants_report = kwargs.pop("output_loading_info", False)
        allow_mismatched = kwargs.pop("ignore_mismatched_sizes", False)
        options = {"use_safetensors": True, "output_loading_info": True, "ignore_mismatched_sizes": True}
        try:
            model, report = super().from_pretrained(pretrained_model_name_or_path, *args, **options, **kwargs)
        except SafetensorError as error:
            raise WeightsError(
                f"The weights of {pretrained_model_name_or_path} are broken ({error}); download or copy them again."
            ) from error
        name = model.config.name_or_path or pretrained_model_name_or_path
        if not wants_report and kwargs.get("state_dict") is None:
            check_report(report, name, allow_mismatched)
        check_finite(model, name)
        if name:
            check_download(name, kwargs.get("revision"), kwargs.get("cache_dir"))
        given = str(pretrained_model_name_or_path or "")
        if given and Path(model.config.name_or_path or given).is_dir() and not Path(given).exists():
            # A checkpoint that ships: results need its folder, adapters and cards the name that others know.
            model.name_or_path = model.config.hub_name = given
        return (model, report) if wants_report else model

    def save_pretrained(self, save_directory: str | Path, push_to_hub: bool = False, **kwargs) -> None:
        """Write a whole repository: weights, configuration, code; feature extractor and card where there are none.

        Args:
            save_directory: folder, made if there is none.
            push_to_hub: upload the model, too.
            kwargs: as in `transformers`; with `push_to_hub` also `repo_id`, `commit_message`, `private`, `token`,
                `revision` and `create_pr`.
        """
        names = ("repo_id", "commit_message", "private", "revision", "create_pr")
        hub_arguments = {name: kwargs.pop(name) for name in names if name in kwargs}
        super().save_pretrained(save_directory, **kwargs)
        if not kwargs.get("is_main_process", True):
            return
        if not (Path(save_directory) / "preprocessor_config.json").exists():
            HuiduRepFeatureExtractor.from_config(self.config).save_pretrained(save_directory)
        write_first_card(save_directory, self.config.name_or_path)
        if push_to_hub:
            hub_arguments.setdefault("repo_id", Path(save_directory).name)
            self.push_to_hub(token=kwargs.get("token"), **hub_arguments)

    def push_to_hub(self, repo_id: str, **kwargs) -> str:
        """Upload a whole repository in one commit, with a card that says what the weights were made from.

        Args:
            repo_id: `owner/name`; made if there is none.
            kwargs: as in `transformers`: `commit_message`, `commit_description`, `private`, `token`, `revision`,
                `create_pr`, `max_shard_size` and `tags`.

        Returns:
            URL of the commit.
        """
        return push_model(self, repo_id, **kwargs)
