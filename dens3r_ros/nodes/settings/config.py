# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the node: name, default, unit, range. `config/default.yaml` mirrors it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dens3r_ros.nodes.settings.floor_plan import GridParameters
from dens3r_ros.nodes.settings.inertial import ImuParameters
from dens3r_ros.nodes.settings.motion import MotionParameters
from dens3r_ros.nodes.settings.remote import RemoteParameters
from dens3r_ros.nodes.settings.rule import Rule, setting


@dataclass(frozen=True)
class EngineParameters:
    """Which engine sees, and on what."""

    name: str = setting(
        "auto",
        "auto, torch, onnx, geometric, hybrid, remote, or module:factory. auto takes the model "
        "named, else the one of `dens3r models use`, else the best on this machine, else "
        "geometric.",
    )
    model: str = setting(
        "",
        "Name from `dens3r models list`, or path of a checkpoint or export. Of hybrid it is the "
        "network whose depth is joined with geometry: dens3r-tiny if empty, or module:factory.",
    )
    device: str = setting("auto", "auto, cpu, cuda, cuda:1, ...")
    precision: str = setting(
        "auto", "Of the network's backbone.", choices=("auto", "fp32", "bf16", "fp16", "int8")
    )
    size: int = setting(
        0,
        "Long side of images that the network sees, pixels; less is quicker. 0 is its own: as "
        "trained, but without a GPU 224 of DA3 and VGGT, 322 of networks of one image.",
        low=0,
        high=2048,
    )
    max_side: int = setting(
        0, "Long side of images that geometry matches, pixels; 0 as they come.", low=0, high=4096
    )
    address: str = setting(
        "",
        "Of remote: grpc://host:port of a server that `dens3r serve` started, grpcs:// for TLS; "
        "/NAME behind it where that serves the model under a name.",
    )
    fallback: str = setting(
        "geometric",
        "Of remote: what helps out on the robot while the server is away; empty is nothing.",
        choices=("", "geometric"),
    )


@dataclass(frozen=True)
class InputParameters:
    """Where images come from, and which are taken."""

    cameras: tuple[str, ...] = setting(
        ("",), "Names of the cameras; `front` reads front/image. The first one owns odom."
    )
    extrinsics: tuple[float, ...] = setting(
        (0.0,),
        "Of several cameras: x y z qx qy qz qw of each further one in the first one's optical "
        "frame, metres; [0.0] looks them up in TF.",
    )
    transport: str = setting(
        "raw", "Topics image, or image/compressed.", choices=("raw", "compressed")
    )
    qos: str = setting(
        "best_available",
        "Reliability of the image subscription: sensor_data is best effort, best_available "
        "reliable where the camera is.",
        choices=("sensor_data", "reliable", "best_available"),
    )
    policy: str = setting(
        "latest",
        "latest drops what the worker cannot take; every queues it, for replay.",
        choices=("latest", "every"),
    )
    queue_size: int = setting(200, "Images that `every` lets wait.", low=1, high=10000)
    use_camera_info: bool = setting(True, "Use calibration where a camera publishes it.")
    camera_info_timeout: float = setting(
        1.0, "Seconds to wait for a first camera_info, then work uncalibrated.", low=0.0, high=60.0
    )
    max_image_pixels: int = setting(
        50_000_000, "Larger images are refused.", low=1000, high=1_000_000_000
    )
    scale_from: str = setting(
        "none",
        "What makes lengths metres: the topic odometry; tf, frames.odom as its own source "
        "publishes it; height, the floor seen and the camera's height above it; the topic imu; or "
        "auto, the first of imu, odometry, height and the engine that there is.",
        choices=("none", "odometry", "tf", "height", "imu", "auto"),
    )
    camera_height: float = setting(
        0.0,
        "Metres of the first camera above the floor; 0 takes its z in frames.base.",
        low=0.0,
        high=100.0,
    )
    restart_after: float = setting(
        1.0, "Seconds that stamps must go back to count as a new start.", low=0.0, high=3600.0
    )
    stall_after: float = setting(
        2.0, "Seconds without an image after which a camera counts as stalled.", low=0.1, high=600.0
    )


@dataclass(frozen=True)
class FrameParameters:
    """Names in the TF tree, and who owns what in it."""

    map: str = setting("map", "Frame of the map.")
    odom: str = setting("odom", "Frame of smooth odometry.")
    base: str = setting("", "Body frame that poses are given for; empty is the camera's own.")
    tf_mode: str = setting(
        "odom_and_map",
        "odom_and_map publishes map->odom->base; map_to_odom leaves odom to another source.",
        choices=("odom_and_map", "map_to_odom", "none"),
    )
    transform_tolerance: float = setting(
        0.1,
        "Seconds by which map->odom is dated ahead, besides its own stamp.",
        low=0.0,
        high=5.0,
        live=True,
    )
    base_from_camera: tuple[float, ...] = setting(
        (0.0,), "Camera in the base frame, x y z qx qy qz qw, instead of looking it up in TF."
    )
    prefix: str = setting(
        "", "Put before map, odom and base, so that two nodes share one TF: robot1/."
    )

    def prefixed(self) -> FrameParameters:
        """With the names as they stand in TF; not to be prefixed again."""
        map, odom, base = (name and self.prefix + name for name in (self.map, self.odom, self.base))
        return dataclasses.replace(self, map=map, odom=odom, base=base, prefix="")


@dataclass(frozen=True)
class MappingParameters:
    """The part of the mapper's configuration that robots differ in."""

    scale: str = setting(
        "auto",
        "auto as the network is; metric keeps scale fixed; free lets it drift and be corrected.",
        choices=("auto", "metric", "free"),
    )
    window: int = setting(12, "Keyframes kept ready to match against.", low=3, high=200)
    views: int = setting(
        2,
        "Keyframes that a network of many views sees together with an image and its keyframe; 0 "
        "shows it pairs.",
        low=0,
        high=30,
    )
    archive: int = setting(
        2000, "Keyframes remembered in all; bounds memory.", low=10, high=100_000
    )
    decode_every: int = setting(
        0,
        "Of so many images at most one is decoded, all others are tracked on the images alone. 0 "
        "as many as the machine can with policy latest, and every one with policy every.",
        low=0,
        high=1000,
    )
    decode_lag: int = setting(
        3,
        "Images after which a decoding is taken over, where decode_every is above 1.",
        low=1,
        high=1000,
    )
    neighbours: int = setting(
        3,
        "Keyframes that a new one is linked to both ways, two decodes each; 0 is cheapest.",
        low=0,
        high=10,
    )
    loops: bool = setting(True, "Recognise places seen before.")
    loop_candidates: int = setting(
        5, "Keyframes looked at for loops of a new one; two decodes at most each.", low=1, high=20
    )
    loop_interval: int = setting(
        1, "One in so many keyframes looks for loops; more is cheaper.", low=1, high=100
    )
    level: str = setting("floor", "What makes map z-up.", choices=("base", "floor", "camera"))
    seed: int = setting(0, "Of every random choice.", low=0, high=2**31 - 1)


@dataclass(frozen=True)
class MapParameters:
    """Where maps are saved and loaded."""

    directory: str = setting(
        "",
        "Folder of saved maps, which relative names are below; empty is dens3r/maps in "
        "$XDG_DATA_HOME (~/.local/share).",
    )
    allow_anywhere: bool = setting(
        False, "Let ~/save_map and ~/load_map name files outside map.directory."
    )


@dataclass(frozen=True)
class OutputParameters:
    """What is published of the geometry."""

    min_confidence: float = setting(
        1.5, "Pixels below are NaN; 1 is no confidence.", low=1.0, high=1000.0, live=True
    )
    min_range: float = setting(
        0.0, "Nearest depth published, in odom's length unit.", low=0.0, high=1000.0, live=True
    )
    max_range: float = setting(
        0.0, "Farthest depth published; 0 is no limit.", low=0.0, high=10000.0, live=True
    )
    resolution: str = setting(
        "network",
        "Of points, depth, normals and confidence: the engine's, or the input image's.",
        choices=("network", "input"),
        live=True,
    )
    point_normals: bool = setting(
        True, "Points carry normal_x/y/z, curvature and confidence.", live=True
    )
    require_metric: bool = setting(
        False, "Hold back whatever has a length until lengths are metres.", live=True
    )
    map_voxel: float = setting(
        0.05,
        "Side of the map's voxels, metres; a share of the scene's depth where there are none.",
        low=0.001,
        high=10.0,
        live=True,
    )
    map_rate: float = setting(1.0, "Map clouds a second, at most.", low=0.05, high=30.0, live=True)
    path_poses: int = setting(
        5000, "Poses kept in path; older ones are thinned.", low=10, high=10**6
    )


@dataclass(frozen=True)
class NodeConfig:
    """The whole configuration; a parameter's name is `group.field`."""

    autostart: bool = setting(True, "Configure and activate at once, without a lifecycle manager.")
    engine: EngineParameters = field(default_factory=EngineParameters)
    remote: RemoteParameters = field(default_factory=RemoteParameters)
    input: InputParameters = field(default_factory=InputParameters)
    frames: FrameParameters = field(default_factory=FrameParameters)
    mapping: MappingParameters = field(default_factory=MappingParameters)
    map: MapParameters = field(default_factory=MapParameters)
    output: OutputParameters = field(default_factory=OutputParameters)
    grid: GridParameters = field(default_factory=GridParameters)
    imu: ImuParameters = field(default_factory=ImuParameters)
    motion: MotionParameters = field(default_factory=MotionParameters)

    def in_tree(self) -> NodeConfig:
        """With the frames' names as they stand in TF."""
        return dataclasses.replace(self, frames=self.frames.prefixed())


def parameter_table(config: NodeConfig) -> Iterator[tuple[str, Any, Rule]]:
    """(name, value, rule) of every parameter, in the order of the file."""
    for entry in dataclasses.fields(config):
        value = getattr(config, entry.name)
        if "rule" in entry.metadata:
            yield entry.name, value, entry.metadata["rule"]
            continue
        for inner in dataclasses.fields(value):
            rule = inner.metadata["rule"]
            yield f"{entry.name}.{inner.name}", getattr(value, inner.name), rule


def with_values(config: NodeConfig, values: dict[str, Any]) -> NodeConfig:
    """The configuration with some parameters, given by name, replaced."""
    groups: dict[str, dict[str, Any]] = {}
    plain: dict[str, Any] = {}
    for name, value in values.items():
        group, _, inner = name.rpartition(".")
        if group:
            groups.setdefault(group, {})[inner] = value
        else:
            plain[inner] = value
    changed = {
        group: dataclasses.replace(getattr(config, group), **inner)
        for group, inner in groups.items()
    }
    return dataclasses.replace(config, **plain, **changed)
