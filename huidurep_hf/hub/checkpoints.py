"""The checkpoints that ship with the package: find them, resolve their names, install them into the Hub's cache."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import tempfile
from pathlib import Path

from huggingface_hub import HfApi, ResolvedRevision, constants, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
)
from huggingface_hub.file_download import REGEX_COMMIT_HASH, repo_folder_name

from ..model.integrity_huidurep import hash_file
from ..model.repository_huidurep import EXTRACTOR_CODE, MODEL_CODE, PIPELINE_CODE, name_code, write_code

logger = logging.getLogger(__name__)

ORGANISATION = "huidurep"
SHIPPED_FOLDER = Path(__file__).parent / "checkpoints"
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
# What `transformers` looks for and these checkpoints lack, so that it does not ask the Hub: for 23 s without a network.
ABSENT_FILES = (
    "adapter_config.json",
    "audio_tokenizer_config.json",
    "chat_template.json",
    "chat_template.jinja",
    "processor_config.json",
    "tokenizer_config.json",
)
# Of a revision in the cache: the beginning of the weights' SHA-256.
WEIGHTS_DIGITS = 12


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


def find_again(described: dict, place: str | None = None) -> tuple[str, str | None]:
    """Where the model of a result is: the place that the result names, or the shipped checkpoint of the same weights.

    Args:
        described: `provenance["model"]` of the result, which may have been made on another machine.
        place: name or folder where it is now, if somebody says so.

    Returns:
        `(name_or_path, revision)`; a folder has no revision.
    """
    if place is None:
        place, weights = described["name_or_path"], described.get("files_sha256", {}).get("model.safetensors")
        if weights is not None and not Path(place).is_dir():
            shipped = list_checkpoints().values()
            place = next((str(folder) for folder in shipped if hash_weights_file(folder) == weights), place)
    return place, None if Path(place).is_dir() else described["commit"]


def resolve_checkpoint(
    name: str | os.PathLike | None,
    revision: str | None = None,
    cache_dir: str | os.PathLike | None = None,
    token: bool | str | None = None,
    local_files_only: bool = False,
    subfolder: str = "",
    needed_file: str = "config.json",
    **kwargs: object,
) -> str | os.PathLike | None:
    """Return what `from_pretrained` should load for a name: the name itself, or the folder of a shipped checkpoint.

    A local folder of that name wins. The name of a shipped checkpoint means the shipped weights, and no network is
    needed; a `revision` of it is asked of the Hub and its cache, as any other name is. A name that leads nowhere is an
    error at once: the Hub is asked a single time.

    Args:
        name: hub name or folder; `None` is returned as it is.
        revision: branch, tag or commit.
        cache_dir, token, local_files_only, subfolder: as in `huggingface_hub` and `transformers`.
        needed_file: what there must be of that name.
        kwargs: other arguments of `from_pretrained`, which do not matter here.

    Raises:
        OSError: there is no such folder, name or revision, or the Hub does not let us read it; the message says what
            there is.
    """
    if name is None:
        return None
    if str(name) and Path(name).is_dir():
        if not (Path(name) / subfolder / needed_file).is_file():
            raise OSError(f"The folder {name} holds no {needed_file}, so it is no checkpoint; {_choices()}.")
        return name
    shipped = list_checkpoints().get(str(name))
    if shipped is not None and revision is None:
        logger.info("%s: the checkpoint that ships with huidurep_hf, weights %s", name, hash_weights_file(shipped)[:12])
        return str(shipped)
    if Path(name).exists() or not HUB_NAME.fullmatch(str(name)):
        raise OSError(
            f"There is no checkpoint {str(name)!r}: no folder, and no hub name as in owner/name; {_choices()}."
        )
    if not _is_pinned(revision):
        _check_on_hub(str(name), revision, cache_dir, token, local_files_only, needed_file)
    return name


def _choices() -> str:
    return f"give a checkpoint folder, a hub name, or one of those that ship: {', '.join(list_checkpoints())}"


def _is_pinned(revision: str | None) -> bool:
    """Say whether somebody has found the commit already: `transformers` has, or the user gave it."""
    return isinstance(revision, ResolvedRevision) or REGEX_COMMIT_HASH.fullmatch(revision or "") is not None


def _check_on_hub(
    name: str,
    revision: str | None,
    cache_dir: str | os.PathLike | None,
    token: bool | str | None,
    local_files_only: bool,
    needed_file: str,
) -> None:
    """Ask the Hub once, without the retries of downloads, and the cache where the Hub cannot be reached."""
    try:
        HfApi().resolve_revision(
            name, revision=revision, cache_dir=cache_dir, token=token, local_files_only=local_files_only
        )
    except GatedRepoError as error:
        raise OSError(
            f"The Hub does not let you read {name!r}, which is gated; ask for access on its page, and log in with `hf"
            " auth login`."
        ) from error
    except RepositoryNotFoundError as error:
        if _is_cached(name, revision, cache_dir, needed_file):
            return
        raise OSError(
            f"The Hub has no model {name!r}, or it is private and needs a token (`hf auth login`); {_choices()}."
        ) from error
    except RevisionNotFoundError as error:
        raise OSError(
            f"{name!r} has no revision {revision!r}; there are: {', '.join(_list_revisions(name, token))}."
        ) from error
    except RevisionResolutionError as error:
        if _is_cached(name, revision, cache_dir, needed_file):
            return
        of_revision = "" if revision is None else f" of revision {revision!r}"
        raise OSError(
            f"The Hub cannot be reached, and its cache holds no {name!r}{of_revision}; connect, or {_choices()}."
        ) from error


def _is_cached(name: str, revision: str | None, cache_dir: str | os.PathLike | None, needed_file: str) -> bool:
    return isinstance(try_to_load_from_cache(name, needed_file, cache_dir=cache_dir, revision=revision), str)


def _list_revisions(name: str, token: bool | str | None) -> list[str]:
    refs = HfApi().list_repo_refs(name, token=token)
    return [ref.name for ref in [*refs.branches, *refs.tags]]


def hash_weights_file(folder: Path) -> str:
    """Return the SHA-256 of a checkpoint's `model.safetensors`, by which the Hub stores it."""
    return hash_file(folder / "model.safetensors")


def install_checkpoints(cache_dir: str | os.PathLike | None = None) -> dict[str, Path]:
    """Copy the shipped checkpoints into the Hub's cache, so that `AutoModel` and `pipeline` find them by name.

    The cache's documented layout is written: `snapshots/<commit>/` and `refs/main`. A commit begins with the SHA-256 of
    the weights and goes on with a hash over names and contents. The model's code goes with it, for environments that
    share the cache and lack this package. What was installed before, or came from the Hub, stays in the cache by its
    commit; `main` is the shipped checkpoint from now on, until the Hub is asked again. The log says what it replaces.

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
        commit = _add_snapshot(source, repository / "snapshots")
        for absent in ABSENT_FILES:
            mark = repository / ".no_exist" / commit / absent
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
        earlier = reference.read_text() if reference.exists() else None
        if earlier != commit:
            reference.parent.mkdir(parents=True, exist_ok=True)
            # Last, because a reference is what makes the snapshot visible.
            reference.write_text(commit)
        instead = f", in place of revision {earlier}" if earlier not in (None, commit) else ""
        logger.info("%s: weights %s, revision %s%s", name, commit[:WEIGHTS_DIGITS], commit, instead)
        installed[name] = repository / "snapshots" / commit
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
        # Where the Hub has no such repository, `transformers` wants the file itself and not a mark that it is absent.
        (copy / "processor_config.json").write_text("{}\n")
        digits = hash_weights_file(copy)[:WEIGHTS_DIGITS]
        commit = digits + _content_hash(copy)[WEIGHTS_DIGITS:]
        if not (snapshots / commit).exists():
            os.replace(copy, snapshots / commit)
    return commit
