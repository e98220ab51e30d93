# SPDX-License-Identifier: Apache-2.0
"""`dens3r export`: a network as ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    model: Annotated[str, typer.Option(help="Path, name of `dens3r models list`, or random:NAME.")],
    out: Annotated[Path, typer.Option(help="Folder to make; must be empty or absent.")],
    precision: Annotated[str, typer.Option(help="Of the backbone: fp32 or fp16.")] = "fp32",
    size: Annotated[
        str, typer.Option(help="WIDTHxHEIGHT of images, as trained unless given.")
    ] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare with PyTorch; exit code 1 if too far off.")
    ] = False,
) -> None:
    """Write encoder, decoder and heads of a network as ONNX files, for the onnx engine."""
    try:
        _export(model, out, precision, size, verify)
    except (ValueError, OSError, ImportError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _export(model: str, out: Path, precision: str, size: str, verify: bool) -> None:
    from dens3r_ros.engines.loading import load_named_network
    from dens3r_ros.engines.onnx.export import export_network

    network = load_named_network(model)
    wanted = parsed_size(size)
    name = model if ":" in model else Path(model).stem
    manifest = export_network(network, out, name, wanted, precision, typer.echo)
    height, width = manifest.size
    typer.echo(f"{out}: {len(manifest.parts)} files, {width}x{height}, {precision}")
    if verify:
        del network
        verify_export(model, out, precision)


def verify_export(model: str, out: Path, precision: str) -> None:
    """Compare an export with its network; ValueError where they are too far apart."""
    from dens3r_ros.engines.loading import load_named_network
    from dens3r_ros.engines.onnx.export import TOLERANCE, record_errors
    from dens3r_ros.engines.onnx.manifest import load_export
    from dens3r_ros.engines.onnx.verify import differences

    typer.echo("comparing with PyTorch in float32")
    errors = differences(out, load_named_network(model))
    record_errors(load_export(out), out, errors)
    for name, error in errors.items():
        typer.echo(f"{name:<24} {error:.1e} of the largest value")
    allowed = TOLERANCE[precision]
    if max(errors.values()) > allowed:
        raise ValueError(f"the export differs by more than {allowed:.0e}: do not use it")
    typer.echo(f"all within {allowed:.0e}")


def parsed_size(size: str) -> tuple[int, int] | None:
    """(height, width) of "WIDTHxHEIGHT"."""
    if not size:
        return None
    try:
        width, height = (int(side) for side in size.lower().split("x"))
    except ValueError:
        raise ValueError(f"size {size!r} is not WIDTHxHEIGHT, as in 512x384") from None
    return height, width
