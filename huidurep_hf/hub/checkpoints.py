"""The checkpoints that ship with the package: find them, resolve their names, install them into the Hub's cache."""

import hashlib
import logging
import os
import shutil
import tempfile
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError
from huggingface_hub.file_download import repo_folder_name

from ..model.repository_huidurep import EXTRACTOR_CODE, MODEL_CODE, PIPELINE_CODE, name_code, write_code

logger = logging.getLogger(__name__)

ORGANISATION = "huidurep"
SHIPPED_FOLDER = Path(__file__).parent / "checkpoints"
# A model needs these; cards and logs may stay where they are.
MODEL_FILES = ["*.json", "*.safetensors"]


def list_checkpoints() -> dict[str, Path]:
    """Return the folder of each shipped checkpoint by its hub name, such as `huidurep/base`."""
    folders = sorted(path.parent for path in SHIPPED_FOLDER.glob("*/config.json"))
    return {f"{ORGANISATION}/{folder.name}": folder for folder in folders}


def checkpoint_path(name: str) -> Path:
    """Return the folder of a shipped checkpoint, named `base` or `huidurep/base`.

    Raises:
        ValueError: if no such checkpoint ships; the message lists those that do.
    """
    shipped = list_checkpoints()
    full_name = name if "/" in name else f"{ORGANISATION}/{name}"
    if full_name not in shipped:
        raise ValueError(f"No checkpoint {name!r} ships with this package; there are: {', '.join(shipped) or 'none'}.")
    return shipped[full_name]


def resolve_checkpoint(name: str | os.PathLike, revision: str | None = None, cache_dir=None, token=None, **kwargs):
    """Return what `from_pretrained` should load for a name: the name itself, or a folder.

    Only names of shipped checkpoints are looked into, and only where no `revision` was asked for: a local folder of
    that name wins, then the Hub, then its cache, then the shipped folder. The log says which it was. Whatever else
    was asked for is returned as it is.

    Args:
        name: hub name or folder.
        revision: branch, tag or commit; never replaced by a shipped checkpoint.
        cache_dir, token: as in `huggingface_hub`.
        kwargs: other arguments of `from_pretrained`; `local_files_only` is heeded, the rest ignored.

    Raises:
        OSError: if the Hub has the name but does not let us read it.
    """
    shipped = list_checkpoints().get(str(name))
    if shipped is None or revision is not None or Path(name).is_dir():
        return name
    find = {"allow_patterns": MODEL_FILES, "cache_dir": cache_dir, "token": token}
    for local_only in (bool(kwargs.get("local_files_only", False)), True):
        try:
            folder = snapshot_download(str(name), local_files_only=local_only, **find)
        except GatedRepoError:
            raise
        except (RepositoryNotFoundError, LocalEntryNotFoundError):
            continue
        if (Path(folder) / "config.json").exists():
            logger.info("%s: using the copy in the Hub's cache, %s", name, folder)
            return folder
    logger.info("%s: neither the Hub nor its cache has it; using the checkpoint shipped in %s", name, shipped)
    return str(shipped)


def install_checkpoints(cache_dir: str | os.PathLike | None = None) -> dict[str, Path]:
    """Copy the shipped checkpoints into the Hub's cache, so that `AutoModel` and `pipeline` find them by name.

    The cache's documented layout is written (`snapshots/<commit>/` and `refs/main`); the commit is a hash over names
    and contents. The model's code goes with it, for environments that share the cache and lack this package. A name
    that the cache has already is left alone: a copy from the Hub is worth more than ours.

    Args:
        cache_dir: the Hub's cache; its usual place if left out.

    Returns:
        The folder of each checkpoint in the cache.
    """
    root = Path(cache_dir or constants.HF_HUB_CACHE)
    installed = {}
    for name, source in list_checkpoints().items():
        repository = root / repo_folder_name(repo_id=name, repo_type="model")
        reference = repository / "refs" / "main"
        if not reference.exists():
            commit = _add_snapshot(source, repository / "snapshots")
            reference.parent.mkdir(parents=True, exist_ok=True)
            # Last, because a reference is what makes the snapshot visible.
            reference.write_text(commit)
        installed[name] = repository / "snapshots" / reference.read_text()
    return installed


def _content_hash(folder: Path) -> str:
    digest = hashlib.sha1()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _add_snapshot(source: Path, snapshots: Path) -> str:
    """Copy beside the snapshots, then rename, so that a killed copy leaves no half snapshot."""
    snapshots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=snapshots) as scratch:
        copy = Path(shutil.copytree(source, Path(scratch) / "copy"))
        write_code(copy)
        name_code(copy / "config.json", MODEL_CODE, PIPELINE_CODE)
        name_code(copy / "preprocessor_config.json", EXTRACTOR_CODE)
        commit = _content_hash(copy)
        if not (snapshots / commit).exists():
            os.replace(copy, snapshots / commit)
    return commit
