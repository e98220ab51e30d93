# SPDX-License-Identifier: Apache-2.0
"""`dens3r export`: a network as ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dens3r_ros.cli.common.errors import FAILED, plain_errors, stop
from dens3r_ros.cli.common.files import writable_folder
from dens3r_ros.cli.common.progress import following
from dens3r_ros.cli.common.size import OwnImageSize, Size


def export(
    model: Annotated[str, typer.Option(help="Path, name of `dens3r models list`, or random:NAME.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to make; must be empty or absent.")
    ] = None,
    precision: Annotated[str, typer.Option(help="Of the backbone: fp32 or fp16.")] = "fp32",
    size: OwnImageSize = None,
    level: Annotated[
        int, typer.Option(min=0, max=9, help="How finely a MoGe looks; 0 is fastest.")
    ] = 9,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare with PyTorch; exit code 1 if too far off.")
    ] = False,
    triton: Annotated[
        Path | None,
        typer.Option(help="Instead: Triton model repository to add the network to, as ONNX."),
    ] = None,
    served_as: Annotated[
        str, typer.Option(help="The network's name in that repository.")
    ] = "dens3r",
    gpu: Annotated[bool, typer.Option("--gpu", help="There, an instance for every GPU.")] = False,
) -> None:
    """Write encoder, decoder and heads of a network as ONNX files, for the onnx engine.

    A network of single images becomes one file, for the hybrid engine.
    With --triton DIR they become a new version of a model in a Triton model repository, whose
    Python backend needs dens3r_ros with the extra onnx beside Triton.
    """
    if (out is None) == (triton is None):
        stop("name one folder: --out for the onnx engine, or --triton for a model repository")
    if triton is not None:
        with following("export"), plain_errors():
            _export_for_triton(model, triton, precision, size, served_as, gpu)
        return
    assert out is not None
    writable_folder(out.absolute().parent)
    with following("export"):
        with plain_errors():
            _export(model, out, precision, size, level)
        if verify:
            with plain_errors(ValueError, code=FAILED):
                verify_export(model, out, precision)


def _export(model: str, out: Path, precision: str, size: Size | None, level: int = 9) -> None:
    from dens3r_ros.engines.loading import load_any_network
    from dens3r_ros.engines.onnx.export import export_network

    network = load_any_network(model)
    wanted = None if size is None else size.rows_first
    name = model if ":" in model else Path(model).stem
    manifest = export_network(network, out, name, wanted, precision, typer.echo, level)
    height, width = manifest.size
    typer.echo(f"{out}: {len(manifest.parts)} files, {width}x{height}, {precision}")


def _export_for_triton(
    model: str, folder: Path, precision: str, size: Size | None, served_as: str, gpu: bool
) -> None:
    from dens3r_ros.engines.serving.repository import (
        RepositoryConfig,
        ServedNetwork,
        write_repository,
    )

    writable_folder(folder.absolute().parent)
    config = RepositoryConfig(served_as, gpu=gpu)
    made = write_repository(
        folder, config, ServedNetwork(), lambda out: _network(model, out, precision, size)
    )
    typer.echo(f"{made}: run tritonserver --model-repository={folder}")


def _network(model: str, out: Path, precision: str, size: Size | None) -> None:
    """As ONNX; a network of many views, which PyTorch serves, as the checkpoint it is."""
    import shutil

    from dens3r_ros.engines.loading import load_any_network
    from dens3r_ros.model_store.manifest import resolve_model
    from dens3r_ros.network import Network

    if isinstance(load_any_network(model), Network):
        _export(model, out, precision, size)
        return
    path = resolve_model(model)
    out.mkdir()
    shutil.copy(path, out / path.name)
    typer.echo(f"{model} looks at many views: its checkpoint is served by PyTorch")


def verify_export(model: str, out: Path, precision: str) -> None:
    """Compare an export with its network; ValueError where they are too far apart."""
    from dens3r_ros.engines.loading import load_any_network
    from dens3r_ros.engines.onnx.export import TOLERANCE, record_errors
    from dens3r_ros.engines.onnx.manifest import load_export
    from dens3r_ros.engines.onnx.verify import differences

    typer.echo("comparing with PyTorch in float32")
    errors = differences(out, load_any_network(model))
    record_errors(load_export(out), out, errors)
    for name, error in errors.items():
        typer.echo(f"{name:<24} {error:.1e} of the largest value")
    allowed = TOLERANCE[precision]
    if max(errors.values()) > allowed:
        raise ValueError(f"the export differs by more than {allowed:.0e}: do not use it")
    typer.echo(f"all within {allowed:.0e}")
