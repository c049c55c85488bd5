"""What goes to the hub for a checkpoint: its files, the code that reads them, and a card that holds its figures."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..model.repository_huidurep import EXTRACTOR_CODE, MODEL_CODE, PIPELINE_CODE, name_code, write_code

# Nothing else of a folder is uploaded: no optimiser states, no logs, no pickles.
PUBLISHED = ("*.safetensors", "*.safetensors.index.json", "config.json", "preprocessor_config.json", "training.json")
SHOWN = ("README.md", "*.png")


def gather_repository(folder: str | Path, target: str | Path) -> list[Path]:
    """Copy what is published of a checkpoint into a new folder, and add the code; weights stay the same to the bit.

    Args:
        folder: checkpoint folder with its card.
        target: folder to make.

    Returns:
        The files, sorted.

    Raises:
        ValueError: the checkpoint must not be published as it is; see [`check_publishable`].
        FileExistsError: the target exists.
    """
    folder, target = Path(folder), Path(target)
    check_publishable(folder)
    target.mkdir(parents=True)
    for pattern in PUBLISHED + SHOWN:
        for path in folder.glob(pattern):
            shutil.copyfile(path, target / path.name)
    write_code(target)
    name_code(target / "config.json", MODEL_CODE, PIPELINE_CODE)
    name_code(target / "preprocessor_config.json", EXTRACTOR_CODE)
    return sorted(target.iterdir())


def check_publishable(folder: str | Path) -> None:
    """Refuse a checkpoint that is not whole, or whose card does not hold the figures of these very weights.

    Args:
        folder: checkpoint folder.

    Raises:
        ValueError: naming what is missing and how to make it.
    """
    from huggingface_hub import ModelCard

    from ..evaluation.records.run_record import hash_weights
    from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ..model.modeling_huidurep import HuiduRepModel

    folder = Path(folder)
    needed = ("config.json", "preprocessor_config.json", "README.md")
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing or not any(folder.glob("*.safetensors")):
        missing = missing or ["*.safetensors"]
        raise ValueError(f"{folder} is no whole checkpoint: {', '.join(missing)} is missing.")
    card = ModelCard.load(folder / "README.md")
    remedy = "run scripts/evaluate.py on them, then `huidurep card`."
    if not card.data.eval_results:
        raise ValueError(
            f"The card in {folder} has no evaluation figures, so these weights are not published: {remedy}"
        )
    if not card.data.license:
        raise ValueError(f"The card in {folder} states no licence, so these weights are not published.")
    found = hash_weights(HuiduRepModel.from_pretrained(folder))
    if found not in card.content:
        raise ValueError(f"The card in {folder} has figures of other weights than {found[:12]}: {remedy}")
    absent = [name for name in _pictures(card.content) if not (folder / name).is_file()]
    if absent:
        raise ValueError(f"The card in {folder} shows {', '.join(absent)}, which is not there: run `huidurep card`.")
    HuiduRepFeatureExtractor.from_pretrained(folder)


def push_repository(
    repository: str | Path,
    repo_id: str,
    *,
    private: bool = True,
    message: str = "Upload a HuiduRep checkpoint",
    tag: str | None = None,
) -> str:
    """Upload a gathered repository in one commit; files of an earlier upload that are no longer in it are deleted.

    Args:
        repository: folder of [`gather_repository`].
        repo_id: `owner/name`; made if there is none.
        private: a new repository is; an existing one stays what it is.
        message: of the commit.
        tag: name for the commit, which stays when others follow.

    Returns:
        URL of the commit.

    Raises:
        huggingface_hub.errors.HfHubHTTPError: the hub refuses: not logged in (`hf auth login`), no right to write.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo(repo_id, private=private, exist_ok=True)
    commit = api.upload_folder(
        folder_path=repository,
        repo_id=repo_id,
        commit_message=message,
        delete_patterns=["*.py", "*.png", "*.safetensors", "*.json"],
    )
    if tag is not None:
        api.create_tag(repo_id, tag=tag, revision=commit.oid)
    return commit.commit_url


def _pictures(text: str) -> list[str]:
    """Names of the pictures that a card shows from its own folder."""
    links = (part.split(")")[0] for part in text.split("](")[1:])
    return [link for link in links if link.endswith(".png") and "/" not in link]
