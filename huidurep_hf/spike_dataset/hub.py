"""Share a spike dataset on the hub; `datasets.load_dataset(repo_id)` and the trainer read it from there."""

from __future__ import annotations

from pathlib import Path


def push_dataset(
    folder: str | Path,
    repo_id: str,
    private: bool = True,
    commit_message: str = "Upload a spike dataset",
) -> str:
    """Upload a dataset folder, card and all, in one commit; shards that are there already are not sent again.

    Shards of an earlier upload that are no longer in the folder are deleted, so that the repository is the folder.

    Args:
        folder: of [`~huidurep_hf.spike_dataset.writing.write_spikes`] or `build_spike_dataset`.
        repo_id: `owner/name`; made if there is none.
        private: a new repository is; an existing one stays what it is.
        commit_message: of the commit.

    Returns:
        URL of the commit.

    Raises:
        ValueError: the folder is no dataset folder.
        huggingface_hub.errors.HfHubHTTPError: the hub refuses: not logged in (`hf auth login`), no right to write.
    """
    from huggingface_hub import HfApi

    folder = Path(folder)
    missing = [name for name in ("README.md", "dataset_infos.json") if not (folder / name).is_file()]
    if missing or not any((folder / "data").glob("*.parquet")):
        raise ValueError(
            f"{str(folder)!r} is no spike dataset: {', '.join(missing) or 'data/*.parquet'} is missing. Write one with"
            " write_spikes or scripts/build_dataset.py."
        )
    api = HfApi()
    api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
    commit = api.upload_folder(
        folder_path=folder,
        repo_id=repo_id,
        repo_type="dataset",
        commit_message=commit_message,
        allow_patterns=["README.md", "dataset_infos.json", "data/*.parquet"],
        delete_patterns=["data/*.parquet"],
    )
    return commit.commit_url
