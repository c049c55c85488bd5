"""`huidurep export`: a model as ONNX, or a result in the format of another tool."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

from ..recording.sources.layout_flags import add_layout, open_recording

ONNX = "onnx"
SUBJECT_FIELDS = ("subject_id", "species", "sex", "age", "strain", "genotype", "description")
GUI = "spikeinterface-gui"
RESULT_FORMATS = ("analyzer", GUI, "phy", "nwb", "pynapple", "parquet", "matlab")


def add_export_command(commands: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    """Add it to the parser.

    Args:
        commands: what `add_subparsers` returned.
        common: parent parser of flags that all commands have.
    """
    export = commands.add_parser("export", parents=[common], help="write a model as ONNX, or a result for another tool")
    export.add_argument("source", metavar="SOURCE", help="onnx: hub name or folder of a model; else a result folder")
    export.add_argument("output", metavar="OUT", type=Path, help="file or folder, made by this command")
    export.add_argument("--to", choices=(ONNX, *RESULT_FORMATS), help="format (default, of a model: onnx)")
    export.add_argument("--revision", help="onnx: revision of the model on the hub")
    export.add_argument(
        "--recording", metavar="RECORDING", help="analyzer, spikeinterface-gui, phy: the recording that was sorted"
    )
    export.add_argument(
        "--session-start", type=datetime.fromisoformat, metavar="TIME", help="nwb: when it was recorded, ISO 8601"
    )
    export.add_argument(
        "--subject", nargs="+", default=[], metavar="NAME=VALUE", help="nwb: such as subject_id=M1 sex=F age=P90D"
    )
    add_layout(export)
    export.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> None:
    from ..export.exporters import Source, export_result
    from ..sorting.output.result import PROVENANCE_FILE, SortingResult

    if options.to is None and (Path(options.source) / PROVENANCE_FILE).is_file():
        raise ValueError(f"{options.source} is a result; say with --to which of {', '.join(RESULT_FORMATS)} is made.")
    if options.to in (None, ONNX):
        _export_model(options)
        return

    result = SortingResult.load(options.source)
    recording = open_recording(options.recording, options) if options.recording else None
    source = Source(recording=recording, session_start=options.session_start, subject=_subject(options.subject))
    print(f"{options.to}  {export_result(result, options.output, options.to, source)}")
    if options.to == GUI:
        print(f"open it with: sigui {options.output}")


def _subject(given: list[str]) -> dict[str, str]:
    fields = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or name not in SUBJECT_FIELDS:
            raise ValueError(f"Got --subject {text!r}; NAME=VALUE is needed, of {', '.join(SUBJECT_FIELDS)}.")
        fields[name] = value
    return fields


def _export_model(options: argparse.Namespace) -> None:
    from ..integrations.onnx_export import export_onnx
    from ..model.modeling_huidurep import HuiduRepModel

    model = HuiduRepModel.from_pretrained(options.source, revision=options.revision)
    deviation = export_onnx(model, options.output)
    print(f"{options.output} deviates from the model by at most {deviation:.1g} of the largest value")
