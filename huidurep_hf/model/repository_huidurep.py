# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""What makes a folder of weights a whole repository, also for those who do not have `huidurep_hf`: its code."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import HfApi, ModelCard
from huggingface_hub.errors import HfHubHTTPError

if TYPE_CHECKING:
    from .modeling_huidurep import HuiduRepPreTrainedModel

# Which file of the repository defines what; `trust_remote_code=True` reads these from its JSON files.
MODEL_CODE = {
    "AutoConfig": "configuration_huidurep.HuiduRepConfig",
    "AutoModel": "modeling_huidurep.HuiduRepModel",
    "AutoModelForPreTraining": "pretraining_huidurep.HuiduRepForPreTraining",
}
EXTRACTOR_CODE = {"AutoFeatureExtractor": "feature_extraction_huidurep.HuiduRepFeatureExtractor"}
PIPELINE_CODE = {
    "spike-embedding": "embedding_pipeline_huidurep.SpikeEmbeddingPipeline",
    "spike-sorting": "sorting_pipeline_huidurep.SpikeSortingPipeline",
}
# What a JSON file of a repository may say about code. The installed package has the code and does not listen.
CODE_KEYS = ("auto_map", "custom_pipelines")
IS_INSTALLED = __package__ == "huidurep_hf.model"


def list_entry_points() -> tuple[type, ...]:
    """Return the classes that users of a repository start from, apart from those that this file's readers import.

    `transformers` copies a file of a repository together with all that it imports, and no others. These imports make
    every copy whole, so that what is saved from one is a whole repository again.
    """
    from .embedding_pipeline_huidurep import SpikeEmbeddingPipeline
    from .pretraining_huidurep import HuiduRepForPreTraining
    from .sorting_pipeline_huidurep import SpikeSortingPipeline

    return HuiduRepForPreTraining, SpikeEmbeddingPipeline, SpikeSortingPipeline


def write_code(folder: str | Path) -> None:
    """Copy the model's code into a folder; files that are there already are replaced.

    Args:
        folder: `str` or `Path`, exists.
    """
    source = Path(__file__).parent
    if source.resolve() == Path(folder).resolve():
        return
    for path in source.glob("*_huidurep.py"):
        shutil.copyfile(path, Path(folder) / path.name)


def name_code(path: str | Path, auto_map: dict[str, str], pipelines: dict[str, str] | tuple[()] = ()) -> None:
    """Say in a JSON file which code beside it defines what. Code that is not there is not named.

    Args:
        path: `config.json` or `preprocessor_config.json`.
        auto_map: auto class -> `file.Class`.
        pipelines: task -> `file.Class`.
    """
    path = Path(path)

    def is_there(reference: str) -> bool:
        return (path.parent / f"{reference.split('.')[0]}.py").is_file()

    content = {key: value for key, value in json.loads(path.read_text()).items() if key not in CODE_KEYS}
    content["auto_map"] = {name: reference for name, reference in auto_map.items() if is_there(reference)}
    tasks = {
        task: {"impl": reference, "pt": ["AutoModel"]}
        for task, reference in dict(pipelines).items()
        if is_there(reference)
    }
    if tasks:
        content["custom_pipelines"] = tasks
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def push_model(
    model: HuiduRepPreTrainedModel,
    repo_id: str,
    *,
    token: bool | str | None = None,
    private: bool | None = None,
    revision: str | None = None,
    tags: list[str] | tuple[str, ...] = (),
    **commit,
) -> str:
    """Upload a whole repository in one commit. A card that the repository has already stays.

    Args:
        model: with `save_pretrained`.
        repo_id: `owner/name`; made if there is none.
        token, private, revision: as in `huggingface_hub`; a revision that is not there is made as a branch.
        tags: more tags for the card.
        commit: `commit_message`, `commit_description`, `create_pr` and `max_shard_size`.

    Returns:
        URL of the commit.
    """
    api = HfApi(token=token)
    repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
    if revision is not None and not revision.startswith("refs/pr"):
        api.create_branch(repo_id, branch=revision, exist_ok=True)
    sizes = {name: commit.pop(name) for name in ("max_shard_size",) if commit.get(name) is not None}
    source = model.config.name_or_path
    if source and not Path(source).exists():
        # Into the cache, where the card is looked for.
        _download_card(api, source)
    with tempfile.TemporaryDirectory() as folder:
        card = _download_card(api, repo_id)
        if card is not None:
            shutil.copyfile(card, Path(folder) / "README.md")
        model.save_pretrained(folder, **sizes)
        if tags:
            card = ModelCard.load(Path(folder) / "README.md")
            card.data.tags = list(dict.fromkeys([*(card.data.tags or []), *tags]))
            card.save(Path(folder) / "README.md")
        message = commit.pop("commit_message", None) or "Upload a HuiduRep model"
        info = api.upload_folder(
            repo_id=repo_id, folder_path=folder, revision=revision, commit_message=message, **commit
        )
    return info.commit_url


def _download_card(api: HfApi, repo_id: str) -> str | None:
    try:
        return api.hf_hub_download(repo_id, "README.md")
    except (HfHubHTTPError, OSError):
        return None
