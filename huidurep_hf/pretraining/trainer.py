"""The pretraining loop, on one CPU process, several, or GPUs: `accelerate` sees to the rest."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import transformers
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration
from tqdm import tqdm

from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor
from ..model.pretraining_huidurep import HuiduRepForPreTraining
from ..spike_dataset.noise_snippets import NoiseSnippets
from .ancestry import data_of, join_data, read_record
from .arguments import PretrainingArguments
from .dataset import ProbeBatches, SpikePairs, describe_data, load_spikes
from .monitor import sort_validation_units
from .recipe import pair_inputs
from .schedules import cosine_ramp, warmup_cosine
from .views import SpikeViews

logger = logging.getLogger(__name__)

CHECKPOINTS_KEPT = 2
PROGRESS_FILE = "progress.json"
# What `accelerate launch` sets.
SHARDING = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
}


class Progress:
    """Where a run stands and what it was asked to do; saved and restored with the rest of its state.

    Attributes:
        step: steps taken.
        seconds: time they took.
        changes: what was asked for differently when the run was resumed: the step, and old and new values by name.
    """

    def __init__(self, arguments: dict):
        self.step = 0
        self.seconds = 0.0
        self.changes: list[dict] = []
        self._arguments = arguments

    def state_dict(self) -> dict:
        """Return plain values."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "changes": self.changes,
            "arguments": self._arguments,
        }

    def load_state_dict(self, state: dict) -> None:
        """Take up where the state was saved, and note what is asked for differently from now on."""
        self.step, self.seconds, self.changes = int(state["step"]), float(state["seconds"]), list(state["changes"])
        earlier = state["arguments"]
        changed = {
            name: [earlier.get(name), value] for name, value in self._arguments.items() if earlier.get(name) != value
        }
        if changed:
            logger.warning("Resumed at step %d with other arguments: %s", self.step, changed)
            self.changes.append({"step": self.step, "changed": changed})


class Pretrainer:
    """Train a HuiduRep model on a spike dataset.

    The batches, the pairs and the views of a step follow from the seed, the step and the process alone, so a run that
    is resumed continues exactly as if it had not stopped.

    Args:
        arguments: what to do.
        output: folder of the run: `checkpoints/` to resume from, `logs/` for TensorBoard, `model/` in the end.
        cpu: stay on the CPU though there is a GPU.
        mixed_precision: `no`, `bf16` or `fp16`; left out, what `accelerate launch` was told.

    Raises:
        ValueError: if the batch cannot be shared among the processes, the dataset does not fit the model, or
            `accelerate` was told to shard the weights.
    """

    def __init__(
        self,
        arguments: PretrainingArguments,
        output: str | Path,
        cpu: bool = False,
        mixed_precision: str | None = None,
    ):
        refuse_sharding()
        self.arguments = arguments
        self.output = Path(output)
        self.accelerator = Accelerator(
            cpu=cpu,
            mixed_precision=mixed_precision,
            gradient_accumulation_steps=arguments.gradient_accumulation_steps,
            log_with="tensorboard",
            project_config=ProjectConfiguration(project_dir=str(self.output), logging_dir=str(self.output / "logs")),
        )
        self.on_gpu = self.accelerator.device.type == "cuda"
        if self.on_gpu:
            # TensorFloat-32 in products: a view's noise is far larger than what it rounds off.
            torch.set_float32_matmul_precision("high")
        parts = self.accelerator.num_processes * arguments.gradient_accumulation_steps * arguments.pairs_per_unit
        if arguments.batch_size % parts:
            raise ValueError(
                f"batch_size {arguments.batch_size} cannot be shared by {self.accelerator.num_processes} processes in "
                f"{arguments.gradient_accumulation_steps} accumulation steps of {arguments.pairs_per_unit} pairs a "
                f"unit; take a multiple of {parts}."
            )
        self._prepare_data()
        self._prepare_model()
        self.progress = Progress(_plain(arguments))

    def _prepare_data(self) -> None:
        arguments = self.arguments
        self.config = arguments.build_config()
        spikes, geometry = load_spikes(arguments.dataset)
        if geometry.sampling_rate != self.config.sampling_rate:
            raise ValueError(
                f"The dataset's spikes are at {geometry.sampling_rate} Hz and the model's at "
                f"{self.config.sampling_rate} Hz; build the dataset at the model's rate."
            )
        self.pairs = SpikePairs(spikes, geometry)
        if self.on_gpu and self._fits_on_gpu(self.pairs.num_bytes):
            self.pairs.hold_on(self.accelerator.device)
        self.data_record = describe_data(spikes)
        self.start_record = None
        if arguments.start is not None:
            # What is learned on goes into the weights, and so do its licences.
            self.start_record = read_record(arguments.start)
            self.data_record = join_data(data_of(self.start_record), self.data_record)
        self.views = SpikeViews(
            arguments.views, self.config, geometry.peak_sample, geometry.num_samples, self._recorded_noise()
        )
        shuffled = np.random.default_rng([arguments.seed, 0]).permutation(len(self.pairs))
        self.validation_units = np.sort(shuffled[: arguments.num_validation_units])
        self.training_units = np.sort(shuffled[arguments.num_validation_units :])
        num_units = arguments.batch_size // arguments.gradient_accumulation_steps // arguments.pairs_per_unit
        if len(self.training_units) < num_units:
            raise ValueError(
                f"The dataset has {len(self.pairs)} units, of which num_validation_units="
                f"{arguments.num_validation_units} are kept from training, and a batch takes {num_units}. Set "
                "num_validation_units=0, or take a smaller batch_size, or a larger dataset."
            )
        self.batches = ProbeBatches(self.pairs.probes[self.training_units], num_units, arguments.seed)

    def _fits_on_gpu(self, num_bytes: int) -> bool:
        # Twice for a moment while the rows are put together; a third of what is free is left to model and views.
        return 3 * num_bytes < torch.cuda.mem_get_info(self.accelerator.device)[0]

    def _recorded_noise(self) -> torch.Tensor | None:
        if self.arguments.noise is None:
            return None
        snippets = NoiseSnippets.load(self.arguments.noise)
        if len(snippets) == 0:
            raise ValueError(f"{self.arguments.noise!r} holds no noise: the recording had no quiet stretch.")
        if snippets.sampling_rate != self.config.sampling_rate or snippets.waveforms.shape[1] < self.config.window_size:
            raise ValueError(
                f"The noise in {self.arguments.noise!r} is {snippets.waveforms.shape[1]} samples long at "
                f"{snippets.sampling_rate:g} Hz; the model needs {self.config.window_size} at "
                f"{self.config.sampling_rate:g} Hz. Cut it anew with scripts/noise_from_recording.py."
            )
        return torch.from_numpy(snippets.whitened()).to(self.accelerator.device)

    def _prepare_model(self) -> None:
        arguments = self.arguments
        # The same weights in every process, without touching the caller's random state.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(arguments.seed)
            if arguments.start is None:
                model = HuiduRepForPreTraining(self.config)
            else:
                # Heads that the checkpoint lacks are drawn; the momentum branch starts from the trained one.
                model = HuiduRepForPreTraining.from_pretrained(arguments.start, config=self.config)
        model.train()
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim >= 2], "weight_decay": arguments.weight_decay},
            {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=arguments.learning_rate, fused=self.on_gpu)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)

    def run(self, resume: bool = False, progress_bar: bool = True) -> Path:
        """Train, and return the folder of the finished model.

        Args:
            resume: go on from the last checkpoint in the output folder, if there is one.
            progress_bar: show one, on the main process.

        Raises:
            ValueError: if the output folder holds a run already and `resume` is not set.
        """
        self._open_run(resume)
        num_steps = self.arguments.num_steps
        bar = tqdm(
            total=num_steps,
            initial=self.progress.step,
            desc="pretrain",
            disable=not (progress_bar and self.accelerator.is_main_process),
        )
        started = time.monotonic() - self.progress.seconds
        losses, logged = {}, (self.progress.step, self.progress.seconds)
        while self.progress.step < num_steps:
            losses = self._step(self.progress.step)
            self.progress.step += 1
            self.progress.seconds = time.monotonic() - started
            step = self.progress.step
            bar.update()
            if step % self.arguments.log_every == 0 or step == num_steps:
                losses = {name: float(value) for name, value in losses.items()}
                # After the losses, for which a GPU has been waited.
                self.progress.seconds = time.monotonic() - started
                pairs = (step - logged[0]) * self.arguments.batch_size
                speed = {"pairs_per_s": pairs / max(self.progress.seconds - logged[1], 1e-9)}
                logged = step, self.progress.seconds
                bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()})
                self.accelerator.log(losses | speed, step=step)
            if step % self.arguments.evaluate_every == 0 or step == num_steps:
                self._evaluate(step)
            if step % self.arguments.checkpoint_every == 0 and step < num_steps:
                self._save_checkpoint()
        bar.close()
        folder = self._save_model(losses)
        # Gloo's thread frees its last work under the GIL. Asleep we do not hold it, so that the thread is done before
        # the interpreter ends and joins it; otherwise both can wait for ever.
        time.sleep(0.2)
        self.accelerator.end_training()
        return folder

    def _open_run(self, resume: bool) -> None:
        checkpoints = sorted((self.output / "checkpoints").glob("step_*"))
        if checkpoints and not resume:
            raise ValueError(f"{self.output} holds a run already; resume it with --resume, or take another folder.")
        if not resume and (self.output / "model").exists():
            raise ValueError(f"{self.output} holds a finished run; take another folder, or delete this one.")
        if resume and not checkpoints and (self.output / "model").exists():
            raise ValueError(
                f"{self.output} holds a finished run without a checkpoint to go on from; take another one."
            )
        self.accelerator.init_trackers("tensorboard")
        if checkpoints:
            self.accelerator.load_state(str(checkpoints[-1]))
            # As JSON: what is registered with accelerate is read as a pickle that may run anything.
            self.progress.load_state_dict(json.loads((checkpoints[-1] / PROGRESS_FILE).read_text()))
            logger.info("Resuming at step %d of %s", self.progress.step, self.output)
        processes, device = self.accelerator.num_processes, self.accelerator.device
        logger.info(
            "%d units, %d batches an epoch, %d processes on %s",
            len(self.training_units),
            self.batches.batches_per_epoch,
            processes,
            device,
        )

    def _step(self, step: int) -> dict[str, float | torch.Tensor]:
        """Take one optimiser step and return its losses, those of this process.

        They stay on the device: asking for a number waits until a GPU has done all that it was given.
        """
        arguments = self.arguments
        factor = warmup_cosine(step, arguments.num_steps, arguments.num_warmup_steps, arguments.final_learning_rate)
        for group in self.optimizer.param_groups:
            group["lr"] = arguments.learning_rate * factor
        for part in range(arguments.gradient_accumulation_steps):
            inputs = self._inputs(step * arguments.gradient_accumulation_steps + part)
            with self.accelerator.accumulate(self.model):
                with self.accelerator.autocast():
                    output = self.model(**inputs)
                self.accelerator.backward(output.loss)
                if self.accelerator.sync_gradients:
                    norm = self.accelerator.clip_grad_norm_(self.model.parameters(), arguments.max_gradient_norm)
                self.optimizer.step()
                self.optimizer.zero_grad()
        figures = {} if output.location_loss is None else {"location": output.location_loss.detach()}
        model = self.accelerator.unwrap_model(self.model)
        if model.has_momentum:
            momentum = cosine_ramp(step, arguments.num_steps, arguments.momentum, arguments.final_momentum)
            model.update_momentum(momentum)
            figures["momentum"] = momentum
        return {
            "loss": output.loss.detach(),
            "contrastive": output.contrastive_loss.detach(),
            "denoising": output.denoising_loss.detach(),
            **figures,
            "gradient_norm": norm,
            "learning_rate": arguments.learning_rate * factor,
        }

    def _inputs(self, batch_index: int) -> dict[str, torch.Tensor]:
        """Return this process's share of a batch, as views on the device."""
        rank, num_processes = self.accelerator.process_index, self.accelerator.num_processes
        units = self.training_units[np.array_split(self.batches.units(batch_index), num_processes)[rank]]
        random = np.random.default_rng([self.arguments.seed, batch_index, rank, 1])
        device = self.accelerator.device
        num_pairs = self.arguments.pairs_per_unit
        first, second, unit_ids = self.pairs.read(units, random, self.arguments.max_displacement_um, num_pairs)
        generator = torch.Generator(device=device).manual_seed(int(random.integers(2**62)))
        view, paired = self.views(first.to(device), second.to(device), generator, num_pairs)
        return {**pair_inputs(view, paired), "unit_ids": unit_ids.to(device)}

    def _evaluate(self, step: int) -> None:
        if len(self.validation_units) == 0:
            return
        # On every process, so that none runs ahead into a collective call and waits there.
        model = self.accelerator.unwrap_model(self.model).huidurep
        figures = sort_validation_units(model, self.pairs, self.validation_units, self.views)
        self.accelerator.log({f"validation/{name}": value for name, value in figures.items()}, step=step)
        if self.accelerator.is_main_process:
            logger.info("step %d: %s", step, ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))

    def _save_checkpoint(self) -> None:
        folder = self.output / "checkpoints"
        final = folder / f"step_{self.progress.step:08d}"
        unfinished = folder / f"unfinished_{self.progress.step:08d}"
        self.accelerator.save_state(str(unfinished))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            (unfinished / PROGRESS_FILE).write_text(json.dumps(self.progress.state_dict(), indent=2))
            # The name appears when all is written, so a killed run never leaves half a checkpoint to resume from.
            unfinished.rename(final)
            for old in sorted(folder.glob("step_*"))[:-CHECKPOINTS_KEPT]:
                shutil.rmtree(old)
        self.accelerator.wait_for_everyone()

    def _save_model(self, losses: dict[str, float]) -> Path:
        folder = self.output / "model"
        if self.accelerator.is_main_process:
            self.accelerator.unwrap_model(self.model).save_pretrained(folder)
            HuiduRepFeatureExtractor.from_config(self.config).save_pretrained(folder)
            (folder / "training.json").write_text(json.dumps(self._record(losses), indent=2))
        self.accelerator.wait_for_everyone()
        return folder

    def _record(self, losses: dict[str, float]) -> dict:
        """Return what a card says of the run."""
        return {
            "arguments": _plain(self.arguments),
            "changes": self.progress.changes,
            "num_steps": self.progress.step,
            "pairs_seen": self.progress.step * self.arguments.batch_size,
            "seconds": round(self.progress.seconds, 1),
            "final_losses": losses,
            "data": self.data_record,
            **({} if self.start_record is None else {"start": self.start_record}),
            "num_training_units": len(self.training_units),
            "num_processes": self.accelerator.num_processes,
            "device": str(self.accelerator.device.type),
            "machine": _machine(self.accelerator.device),
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }


def refuse_sharding() -> None:
    """Refuse what `accelerate launch` may have been told of sharding: the momentum branch follows whole weights.

    Raises:
        ValueError: naming it.
    """
    for variable, name in SHARDING.items():
        if os.environ.get(variable, "").lower() in ("true", "1"):
            raise ValueError(
                f"{name} shards the weights of a model, and this one fits on any device whole; choose plain data"
                " parallelism in `accelerate config`, as scripts/configs/cpu2.yaml does."
            )


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {torch.get_num_threads()} threads a process"


def _plain(arguments: PretrainingArguments) -> dict:
    """Return arguments as JSON gives them back."""
    return json.loads(json.dumps(asdict(arguments)))
