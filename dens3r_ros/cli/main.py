# SPDX-License-Identifier: Apache-2.0
"""Entry point of `dens3r`; each sub-command lives in a module of its own name beside this one."""

from __future__ import annotations

import typer

from dens3r_ros.cli import bench, demo, doctor, evaluate, export, models, render, train
from dens3r_ros.cli import map as maps
from dens3r_ros.cli.offline import bridge, localize, reconstruct, view
from dens3r_ros.cli.servers import serve

app = typer.Typer(
    name="dens3r",
    help="Live dense geometry from plain cameras: check, evaluate, train and run dens3r_ros.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(bench.app, name="bench")
app.command("bridge")(bridge.bridge)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.add_typer(evaluate.app, name="evaluate")
app.command("export")(export.export)
app.command("localize")(localize.localize)
app.add_typer(maps.app, name="map")
app.add_typer(models.app, name="models")
app.command("reconstruct")(reconstruct.reconstruct)
app.command("render")(render.render)
app.command("serve")(serve.serve)
app.add_typer(train.app, name="train")
app.command("view")(view.view)
