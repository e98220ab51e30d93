# SPDX-License-Identifier: Apache-2.0
"""A scene in the browser, by viser: to look at, to measure and to cut."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.viewer.content import Content, ShownKeyframe
from dens3r_ros.viewer.picking import box_edges, inside, picked
from dens3r_ros.viewer.splat_layer import add_splats

_MARK, _BOX, _WAY = (255, 60, 60), (125, 211, 252), (255, 141, 61)
_SHOWN_KEYFRAMES = 400


class ViewerUnavailable(ImportError):
    """viser is missing; the message says how to get it."""


class Browser:
    """A server whose page shows one scene. `port` 0 takes a free one."""

    def __init__(self, content: Content, host: str = "127.0.0.1", port: int = 8080) -> None:
        try:
            import viser
        except ImportError as error:
            raise ViewerUnavailable(
                "dens3r view needs viser, which is not installed: pip install 'dens3r_ros[viewer]'"
            ) from error
        self._content = content
        self.server = viser.ViserServer(host=host, port=port, verbose=False, label=content.name)
        self._unit = "m" if content.metric else "units"
        self._marks: list[np.ndarray] = []
        self._handles: list[Any] = []
        low, high = _limits(content.points)
        self._low, self._high = low, high
        self._show_scene()
        self._add_looks()
        self._add_keyframes()
        self._add_measuring()
        self._add_cutting()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{self.server.get_host()}:{self.server.get_port()}"

    def close(self) -> None:
        """End the server."""
        self.server.stop()

    def _show_scene(self) -> None:
        content, scene = self._content, self.server.scene
        scene.set_up_direction("+z")
        self._dot = content.size / 600
        self._cloud = scene.add_point_cloud(
            "/cloud", content.points, content.colours, point_size=self._dot, precision="float32"
        )
        if len(content.way) > 1:
            segments = np.stack((content.way[:-1], content.way[1:]), 1).astype(np.float32)
            scene.add_line_segments("/way", segments, _WAY, thickness=self._dot)
        self._mesh = None
        if content.mesh is not None:
            import trimesh

            mesh: Any = trimesh.load(content.mesh, force="mesh")
            self._mesh = scene.add_mesh_trimesh("/mesh", mesh, visible=False)
        self._splats = None
        if content.splats is not None and len(content.splats):
            # Where there is nothing else to see they are seen at once.
            alone = not content.keyframes
            self._splats = add_splats(scene, content.splats, visible=alone)
            self._cloud.visible = not alone
        self.server.initial_camera.position = tuple(self._middle() + content.size * _FROM)
        self.server.initial_camera.look_at = tuple(self._middle())

    def _middle(self) -> np.ndarray:
        return (self._low + self._high) / 2

    def _add_looks(self) -> None:
        gui, content = self.server.gui, self._content
        unit = "metres" if content.metric else "a free unit"
        gui.add_markdown(
            f"**{content.name}**  \n{len(content.points)} points, {len(content.keyframes)} "
            f"keyframes, lengths in {unit}"
        )
        for name, handle in (
            ("cloud", self._cloud),
            ("mesh", self._mesh),
            ("splats", self._splats),
        ):
            if handle is not None:
                self._toggle(name, handle)
        size = gui.add_slider("point size", 0.2, 5.0, 0.1, 1.0)

        @size.on_update
        def _(_: Any) -> None:
            self._cloud.point_size = self._dot * size.value

    def _toggle(self, name: str, handle: Any) -> None:
        box = self.server.gui.add_checkbox(name, handle.visible)

        @box.on_update
        def _(_: Any) -> None:
            handle.visible = box.value

    def _add_keyframes(self) -> None:
        keyframes = self._content.keyframes
        step = max(1, -(-len(keyframes) // _SHOWN_KEYFRAMES))
        folder = self.server.gui.add_folder("keyframes")
        with folder:
            shown = self.server.gui.add_checkbox("shown", True)
            self._told = self.server.gui.add_markdown("Click on one to look through it.")
        self._picture: Any = None
        self._folder = folder
        handles = [self._add_keyframe(one) for one in keyframes[::step]]

        @shown.on_update
        def _(_: Any) -> None:
            for handle in handles:
                handle.visible = shown.value

    def _add_keyframe(self, keyframe: ShownKeyframe) -> Any:
        lens, T = keyframe.intrinsics, keyframe.T_world_camera
        handle = self.server.scene.add_camera_frustum(
            f"/keyframes/{keyframe.id}",
            fov=2 * float(np.arctan(lens.height / 2 / lens.fy)),
            aspect=lens.width / lens.height,
            scale=self._content.size / 40,
            image=keyframe.image,
            wxyz=_wxyz(T),
            position=T[:3, 3],
        )

        @handle.on_click
        def _(event: Any) -> None:
            self.look_through(keyframe, event.client)

        return handle

    def look_through(self, keyframe: ShownKeyframe, client: Any) -> None:
        """Put a person's view where the keyframe was, and show its image."""
        client.camera.wxyz = _wxyz(keyframe.T_world_camera)
        client.camera.position = keyframe.T_world_camera[:3, 3]
        self._told.content = f"keyframe {keyframe.id}, {keyframe.stamp * 1e-9:.3f} s"
        if self._picture is not None:
            self._picture.remove()
        with self._folder:
            self._picture = self.server.gui.add_image(keyframe.image, format="jpeg")

    def _add_measuring(self) -> None:
        gui = self.server.gui
        with gui.add_folder("measure"):
            measuring = gui.add_checkbox("click two points", False)
            self.distance = gui.add_markdown("")

        @measuring.on_update
        def _(_: Any) -> None:
            self._marks.clear()
            self._draw_marks()

        @self.server.scene.on_click()
        def _(event: Any) -> None:
            if measuring.value:
                self.mark(np.array(event.ray_origin), np.array(event.ray_direction))

    def mark(self, origin: np.ndarray, direction: np.ndarray) -> float | None:
        """Mark the point that a ray hits; with the second one, the distance between both."""
        points = np.asarray(self._cloud.points)
        number = picked(points, origin, direction)
        if number is None:
            return None
        self._marks = (
            [*self._marks[-1:], points[number]] if len(self._marks) < 2 else [points[number]]
        )
        self._draw_marks()
        if len(self._marks) < 2:
            return None
        return float(np.linalg.norm(self._marks[1] - self._marks[0]))

    def _draw_marks(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles, scene = [], self.server.scene
        for number, mark in enumerate(self._marks):
            name, radius = f"/marks/{number}", self._content.size / 150
            self._handles.append(
                scene.add_icosphere(name, radius=radius, color=_MARK, position=mark)
            )
        self.distance.content = ""
        if len(self._marks) == 2:
            a, b = self._marks
            text = f"{np.linalg.norm(b - a):.3f} {self._unit}"
            line = np.array([[a, b]], np.float32)
            thick = 2 * self._dot
            self._handles.append(
                scene.add_line_segments("/marks/line", line, _MARK, thickness=thick)
            )
            self._handles.append(scene.add_label("/marks/text", text, position=(a + b) / 2))
            self.distance.content = f"**{text}**"

    def _add_cutting(self) -> None:
        gui, low, high = self.server.gui, self._low, self._high
        with gui.add_folder("cut a box", expand_by_default=False):
            sliders: list[Any] = [
                gui.add_multi_slider(
                    axis,
                    float(low[n]),
                    float(high[n]),
                    float((high[n] - low[n]) / 200),
                    (float(low[n]), float(high[n])),
                )
                for n, axis in enumerate("xyz")
            ]
            whole = gui.add_button("whole")

        def cut(_: Any) -> None:
            values = np.array([slider.value for slider in sliders])
            self.cut(values[:, 0], values[:, 1])

        for slider in sliders:
            slider.on_update(cut)

        @whole.on_click
        def _(_: Any) -> None:
            for n, slider in enumerate(sliders):
                slider.value = (float(low[n]), float(high[n]))
            self.cut(low, high)

    def cut(self, low: np.ndarray, high: np.ndarray) -> int:
        """Show only the points in a box; how many."""
        content = self._content
        all_in = bool(np.allclose(low, self._low) and np.allclose(high, self._high))
        kept = np.ones(len(content.points), bool) if all_in else inside(content.points, low, high)
        self._cloud.points, self._cloud.colors = content.points[kept], content.colours[kept]
        edges = box_edges(low, high)
        self.server.scene.add_line_segments(
            "/box", edges, _BOX, thickness=self._dot, visible=not all_in
        )
        return int(kept.sum())


_FROM = np.array([-0.7, -0.9, 0.8])
"""Where a person looks from at first, in sizes of the scene."""


def _limits(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(points):
        return np.zeros(3), np.ones(3)
    low, high = np.percentile(points, [0.5, 99.5], axis=0)
    return low, np.maximum(high, low + 1e-3)


def _wxyz(T: np.ndarray) -> np.ndarray:
    x, y, z, w = Rotation.from_matrix(T[:3, :3]).as_quat()
    return np.array([w, x, y, z])
