# SPDX-License-Identifier: Apache-2.0
"""Everything that is written of a scene, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from dens3r_ros.mapping.graph.graph import scale_of
from dens3r_ros.reconstruction.kept.mapped import Mapped
from dens3r_ros.reconstruction.outputs.bag import write_bag
from dens3r_ros.reconstruction.outputs.cloud import write_cloud
from dens3r_ros.reconstruction.outputs.colmap import write_colmap
from dens3r_ros.reconstruction.outputs.frame_maps import FrameMapsKeeper, write_frame_maps
from dens3r_ros.reconstruction.outputs.mesh import NoSurface, usual_mesh_voxel, write_mesh
from dens3r_ros.reconstruction.outputs.nerfstudio import write_transforms
from dens3r_ros.reconstruction.outputs.scene import Scene
from dens3r_ros.reconstruction.outputs.trajectories import write_intrinsics, write_tum
from dens3r_ros.reconstruction.pipeline.options import Options
from dens3r_ros.reconstruction.pipeline.splats import write_splats
from dens3r_ros.reconstruction.refinement.refining import Refined
from dens3r_ros.reconstruction.report.page import (
    Told,
    counted,
    flat,
    seconds,
    versions,
    write_report,
)

Following = Callable[[str, float | None], AbstractContextManager[Any]]


@dataclass
class Written:
    """Files and folders that were written, and how much is in each."""

    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Product:
    """What is written: the scene, the map that it comes from, how it was refined if it was, and
    single frames' maps if they were kept."""

    scene: Scene
    mapped: Mapped
    refined: Refined | None
    frame_maps: FrameMapsKeeper | None
    settings: dict[str, Any]


class Writing:
    """Writes all that is wanted into the folder of results."""

    def __init__(self, product: Product, options: Options, following: Following) -> None:
        self._product, self._options, self._following = product, options, following
        self._out, self._asked = options.out, options.asked
        self.written = Written()

    def all(self) -> Written:
        """Every file, the report last, since it tells of the others."""
        self._poses()
        self._cloud()
        self._models()
        self._maps()
        if self._asked.mesh:
            self._mesh()
        if self._asked.mcap:
            self._bag()
        if self._asked.splats:
            self._splats()
        self._report()
        return self.written

    @contextmanager
    def _stage(self, name: str, total: int) -> Iterator[Callable[[int, int], None]]:
        began = time.monotonic()
        with self._following(name, float(total)) as tell:
            yield lambda done, whole: tell(done, whole, "")
        self._product.mapped.tally.spend(f"writing {name}", time.monotonic() - began)

    def _note(self, name: str, what: str) -> None:
        self.written.files[name] = what

    def _poses(self) -> None:
        scene, mapped = self._product.scene, self._product.mapped
        poses = ((pose.stamp, pose.T_map_camera) for pose in scene.trajectory)
        count = write_tum(self._out / "trajectory.tum", poses)
        self._note("trajectory.tum", f"{count} poses")
        keyframes = ((one.stamp, one.T_world_camera) for one in scene.keyframes)
        count = write_tum(self._out / "keyframes.tum", keyframes)
        self._note("keyframes.tum", f"{count} poses")
        if self._options.mode == "photos":
            names = [
                f"{one.stamp // 10**9}.{one.stamp % 10**9:09d} {one.camera}\n"
                for one in scene.trajectory
            ]
            (self._out / "photos.txt").write_text("".join(names))
            self._note("photos.txt", "which stamp is which photo")
        target = self._out / "intrinsics.json"
        write_intrinsics(target, mapped.intrinsics, mapped.estimated, scene.unit)
        self._note("intrinsics.json", f"{len(mapped.intrinsics)} camera(s)")
        self._note("scene.map", f"{len(scene.keyframes)} keyframes, for the node")

    def _cloud(self) -> None:
        scene = self._product.scene
        with self._stage("cloud.ply", len(scene.keyframes)) as progress:
            target = self._out / "cloud.ply"
            points = write_cloud(target, scene, self._asked.cloud_voxel, progress)
        self._note("cloud.ply", f"{points} points")

    def _models(self) -> None:
        scene = self._product.scene
        with self._stage("colmap", 1):
            points = write_colmap(self._out / "colmap" / "sparse" / "0", scene)
        self._note("images", f"{len(scene.keyframes)} keyframes")
        self._note("colmap", f"{len(scene.keyframes)} images, {points} points")
        count = write_transforms(self._out / "transforms.json", scene, self._out / "cloud.ply")
        self._note("transforms.json", f"{count} images, for nerfstudio")

    def _maps(self) -> None:
        keeper, asked = self._product.frame_maps, self._asked
        if keeper is None:
            return
        scene = self._product.scene
        units = {i: scale_of(S) for i, S in self._product.mapped.poses.items()}
        with self._stage("depth and normals", len(scene.trajectory)) as progress:
            count = write_frame_maps(
                self._out, keeper, scene, units, asked.depth, asked.normals, progress
            )
        for name, wanted in (("depth", asked.depth), ("normals", asked.normals)):
            if wanted:
                self._note(name, f"{count} frames")

    def _mesh(self) -> None:
        scene, asked = self._product.scene, self._asked
        paths = [self._out / "mesh.ply", self._out / "mesh.glb"]
        try:
            with self._stage("mesh", len(scene.keyframes)) as progress:
                voxel = usual_mesh_voxel(scene)
                faces = write_mesh(paths, scene, voxel, asked.mesh_faces, progress)
        except NoSurface as error:
            self._product.mapped.tally.notes.append(str(error))
            return
        self._note("mesh.ply, mesh.glb", f"{faces} triangles")

    def _bag(self) -> None:
        scene = self._product.scene
        with self._stage("bag", len(scene.trajectory)) as progress:
            count = write_bag(self._out / "bag", scene, self._out / "cloud.ply", progress)
        self._note("bag", f"{count} messages")

    def _splats(self) -> None:
        scene, steps = self._product.scene, self._asked.splat_steps
        with self._stage("splats", len(scene.keyframes)) as progress:
            count = write_splats(self._out / "splats.ply", scene, steps, progress)
        self._note("splats.ply", f"{count} splats")

    def _report(self) -> None:
        told = _told(self._product, self._options, self.written)
        name = str(self._product.settings.get("input", self._out.name))
        scene = self._product.scene
        write_report(self._out / "report.html", name, scene, self._out / "cloud.ply", told)
        self._note("report.html", "shows and tells the rest")


def _told(product: Product, options: Options, written: Written) -> Told:
    scene, tally = product.scene, product.mapped.tally
    result = [
        ("images", f"{tally.taken} mapped, {sum(tally.dropped.values())} not read"),
        ("poses", f"{len(scene.trajectory)} of {tally.taken}"),
        ("keyframes", f"{len(scene.keyframes)}, {len(scene.loops)} loops between them"),
        ("lengths are in", scene.unit),
        ("up is known by", scene.levelled_by or "nothing"),
        *_refinement(product.refined),
    ]
    notes = [("note", note) for note in dict.fromkeys(tally.notes)]
    dropped = counted(tally.dropped, "not read") + counted(tally.lost, "without a place") + notes
    settings = flat(product.settings) + flat({"mapper": options.mapper}) + versions()
    return Told(
        result,
        seconds(tally.seconds, tally.taken),
        dropped,
        list(written.files.items()),
        settings,
    )


def _refinement(refined: Refined | None) -> list[tuple[str, str]]:
    if refined is None or refined.report is None:
        return [("refinement", "none")]
    report = refined.report
    gain = 1 - report.after / max(report.before, 1e-12)
    rows = [
        (
            "refinement",
            f"{report.sightings} tracks, {report.steps} steps, cost {100 * gain:.0f}% less",
        ),
        ("depth that other keyframes confirm", f"{100 * refined.confirmed:.0f}%"),
    ]
    if refined.focal != 1.0:
        rows.append(("focal length changed by", f"{100 * (refined.focal - 1):+.1f}%"))
    return rows
