"""Modules that have moved can still be imported by their former names."""

import sys
import warnings
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader

PACKAGE = __name__.rpartition(".")[0]
# Former name -> where the names that it had are now.
FORMER_MODULES = {
    "checkpoints": ("hub.checkpoints",),
    "command_line": ("cli.main",),
    "publishing": ("hub.publishing",),
    "spikeinterface_sorter": ("integrations.spikeinterface_sorter",),
    "embedding.spikes": ("embedding.dataset_column",),
    "evaluation.benchmark": ("evaluation.sorters.benchmark",),
    "evaluation.ground_truth": ("evaluation.sorters.ground_truth",),
    "evaluation.peers": ("evaluation.sorters.peers",),
    "evaluation.robustness": ("evaluation.representation.robustness",),
    "evaluation.spikes": ("evaluation.representation.true_spikes",),
    "evaluation.speed.plots": ("evaluation.speed.speed_plots",),
    "evaluation.tracking.benchmark": ("evaluation.tracking.tracking_benchmark",),
    "evaluation.tracking.plots": ("evaluation.tracking.tracking_plots",),
    "evaluation.tracking.tables": ("evaluation.tracking.tracking_tables",),
    "recording.detection": ("recording.spikes.detection",),
    "recording.noise": ("recording.preprocessing.noise_sample",),
    "recording.preparation": ("recording.preprocessing.preparation", "recording.scan"),
    "recording.probe": ("recording.sources.probe",),
    "recording.quality": ("recording.preprocessing.bad_channels",),
    "recording.reading": ("recording.sources.reading",),
    "recording.sources.arguments": ("recording.sources.layout_flags",),
    "recording.whitening": ("recording.preprocessing.whitening",),
    "simulation.benchmark_conditions": ("simulation.recordings.benchmark_conditions",),
    "simulation.examples": ("simulation.recordings.examples",),
    "simulation.hybrid": ("simulation.recordings.hybrid",),
    "simulation.probes": ("simulation.electrodes.probes",),
    "simulation.templates": ("simulation.electrodes.templates",),
    "sorting.assignment": ("sorting.assigning",),
    "sorting.clustering.assignment": ("sorting.clustering.gaussian_labels",),
    "sorting.clustering.clusters": ("sorting.clustering.splitting",),
    "sorting.merging.clusters": ("sorting.merging.merge_clusters",),
    "sorting.merging.units": ("sorting.merging.merge_units",),
    "sorting.provenance": ("sorting.output.provenance",),
    "sorting.rejection.clusters": ("sorting.rejection.reject_clusters",),
    "sorting.result": ("sorting.output.result",),
    "sorting.templates.estimation": ("sorting.templates.find_templates",),
    "sorting.unit_table": ("sorting.output.unit_table",),
    "tracking.assignment": ("tracking.linking",),
}


class FormerModules(MetaPathFinder, Loader):
    """Finds a module of a former name, with the names that are now elsewhere."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """Return a specification for a former name of this package, else None."""
        package, _, name = fullname.partition(".")
        return spec_from_loader(fullname, self) if package == PACKAGE and name in FORMER_MODULES else None

    def exec_module(self, module: object) -> None:
        """Fill the module with what is in those that came in its place."""
        now = [f"{PACKAGE}.{name}" for name in FORMER_MODULES[module.__name__.partition(".")[2]]]
        warnings.warn(f"{module.__name__} is now {' and '.join(now)}.", DeprecationWarning, stacklevel=2)
        for name in now:
            found = vars(import_module(name)).items()
            vars(module).update({key: value for key, value in found if not key.startswith("__")})


def find_former_modules() -> None:
    """Let Python find the former names, once."""
    if not any(isinstance(finder, FormerModules) for finder in sys.meta_path):
        sys.meta_path.append(FormerModules())
