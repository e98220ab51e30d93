# SPDX-License-Identifier: Apache-2.0
"""The keyframes and what ties them together, from the first to the last of a map."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dens3r_ros.engines.protocol import Engine, Features
from dens3r_ros.mapping.archive.merging import merge_nodes, thin_edges
from dens3r_ros.mapping.clearing import Clearing
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.graph.backend import Backend
from dens3r_ros.mapping.graph.felt import FeltEdges, FeltWay
from dens3r_ros.mapping.graph.graph import Edge, PoseGraph, rigid
from dens3r_ros.mapping.history.records import Records
from dens3r_ros.mapping.interfaces import KeyframeArchive, Leveller
from dens3r_ros.mapping.keyframes.background import BackgroundWork
from dens3r_ros.mapping.keyframes.company import most_beside
from dens3r_ros.mapping.keyframes.keyframing import KeyframeMaker
from dens3r_ros.mapping.keyframes.linking import Link, remeasured
from dens3r_ros.mapping.keyframes.straightening import straighten
from dens3r_ros.mapping.keyframes.window import Window
from dens3r_ros.mapping.places.loops import LoopCloser
from dens3r_ros.mapping.places.place_index import PlaceIndex
from dens3r_ros.mapping.tracking.keyframe import Keyframe


@dataclass(frozen=True, eq=False)
class Parts:
    """What one map is made with; `places`, `archive` and `leveller` belong to it alone.

    metric: whether lengths are metres; rigid: whether also every prediction has one and the same
    unit, so that no scale is solved for.
    """

    engine: Engine
    config: MapperConfig
    metric: bool
    rigid: bool
    maker: KeyframeMaker
    places: PlaceIndex
    archive: KeyframeArchive
    leveller: Leveller


@dataclass(eq=False)
class _Left:
    """What a new keyframe is not tied to yet."""

    others: deque[Keyframe]
    around: tuple[Keyframe, ...]
    """Those that are seen beside each other."""
    tied: list[Link] | None = None
    """Links to it whose other way is not known; None before they are looked for."""


class World:
    """Window, archive, graph and solver of one map, and where its frames were.

    `in_use` tells which keyframes cameras stand by, however long ago.
    """

    def __init__(self, parts: Parts, in_use: Callable[[], Collection[int]] = tuple) -> None:
        self.parts = parts
        self.records = Records()
        self._in_use = in_use
        self.backend = Backend(parts.rigid, parts.config.graph)
        self._felt = FeltEdges()
        self.window = Window(parts.config.window.keyframes, self._let_go)
        self.next_id = 0
        self.loops = LoopCloser(
            parts.engine,
            parts.config,
            parts.rigid,
            parts.places,
            parts.maker,
            self.recall,
            self._neighbours,
        )
        self._clearing = (
            Clearing(self.window, parts.archive) if parts.config.motion.enabled else None
        )
        self._moved = False
        self.background = BackgroundWork()
        self._frame_number = 0
        self._links: list[Link] = []
        self._busy: dict[int, set[int]] = {}
        """Per keyframe that is not settled yet, the keyframes which that takes."""

    @property
    def graph(self) -> PoseGraph:
        """Poses and edges."""
        return self.backend.graph

    def pose(self, keyframe_id: int) -> np.ndarray:
        """S_map_keyframe (4, 4)."""
        return self.graph.poses[keyframe_id]

    def begin(self, keyframe: Keyframe, S_map_keyframe: np.ndarray) -> None:
        """Take in a keyframe that is tied to nothing: the map's first, or a further piece's."""
        self.backend.prepare()
        self.graph.add_keyframe(keyframe.id, S_map_keyframe)
        self.parts.maker.expect_scale(keyframe, self.graph)
        self._take_in(keyframe)

    def grow(
        self, made: Keyframe, keyframe: Keyframe, forth: Link, beside: Sequence[Link] = ()
    ) -> None:
        """Take in a keyframe that was tracked against another one, by the link `forth`, and against
        others `beside` it; what else it sees is found out by the background work that follows,
        which ends in a solve."""
        self.graph.add_keyframe(made.id, self.pose(keyframe.id) @ rigid(forth.edge.S_i_j))
        self._tie([forth, *beside])
        self._grown(made, keyframe)

    def grow_by_place(self, made: Keyframe, keyframe: Keyframe, edge: Edge) -> None:
        """The same by an edge alone, which nothing can measure again."""
        self.graph.add_keyframe(made.id, self.pose(keyframe.id) @ rigid(edge.S_i_j))
        self.graph.add_edges([edge])
        self._grown(made, keyframe)

    def _grown(self, made: Keyframe, keyframe: Keyframe) -> None:
        """A keyframe is in the graph, tied to another one; all else follows by and by."""
        graph, settings = self.graph, self.parts.config.graph
        around = self.window.overlapping(
            made,
            self.pose(made.id),
            graph,
            settings.neighbours,
            settings.min_overlap,
            graph.pieces[made.id],
        )
        self._take_in(made)
        others = [other for other in around if other.id != keyframe.id]
        self._busy[made.id] = {keyframe.id, made.id, *(other.id for other in others)}
        seen = (keyframe, *others) if self.parts.config.graph.neighbours else ()
        left = _Left(deque(others), seen)
        self.background.add(
            self._settle(made, keyframe, left), lambda: self._settle(made, keyframe, left)
        )

    def _settle(self, made: Keyframe, keyframe: Keyframe, left: _Left) -> Iterator[None]:
        """Tie a new keyframe to all it sees, and solve; yields after every piece of work. Begun
        anew, it goes on with what is `left`."""
        yield from self._mature(keyframe)
        maker, graph = self.parts.maker, self.graph
        if left.tied is None:
            left.tied = [one for one in self._links if one.j is made and one.i in left.around]
        while left.tied:
            forth = left.tied[0]
            self._tie(maker.link_back(forth, graph, self._beside(forth.i, left.around)))
            left.others = deque(other for other in left.others if other is not forth.i)
            left.tied.pop(0)
            yield
        while left.others:
            beside = self._beside(left.others[0], left.around)
            self._tie((yield from maker.link_both(made, left.others[0], graph, beside)))
            left.others.popleft()
            yield
        for edges in self.loops.close(made, graph):
            self._close(edges)
            yield
        for known in (keyframe, made):
            maker.expect_scale(known, graph)
        del self._busy[made.id]
        self.backend.ask(self._frame_number)

    def _beside(self, one: Keyframe, around: Sequence[Keyframe]) -> list[Features]:
        """What is looked at together with a keyframe and a new one: others `around` that."""
        size, most = one.features.placement.size, most_beside(self.parts.engine, self.parts.config)
        others = [other.features for other in around if other is not one]
        return [other for other in others if other.placement.size == size][:most]

    def _neighbours(self, keyframe: Keyframe) -> list[Features]:
        """What is looked at together with a keyframe that is recognised: those that are tied to
        it most surely."""
        most = most_beside(self.parts.engine, self.parts.config)
        if not most or keyframe.id not in self.graph.poses:
            return []
        edges = [edge for edge in self.graph.edges_of(keyframe.id) if not edge.loop]
        edges.sort(key=lambda edge: edge.doubt)
        near = dict.fromkeys(edge.i + edge.j - keyframe.id for edge in edges)
        known = [self.recall(i) for i in list(near)[:most]]
        return self._beside(keyframe, [one for one in known if one is not None])

    def _close(self, edges: Sequence[Edge]) -> None:
        """Take in the edges of a loop, if there are any; those that join two pieces of the map
        line these up first."""
        for edge in edges[:1]:
            if not self.graph.pieces.together(edge.i, edge.j):
                # Solves that are under way know nothing of it.
                self.backend.finish()
                self.graph.line_up(edge)
                self._moved = True
        self.graph.add_edges(edges)

    def _tie(self, links: Sequence[Link]) -> None:
        self.graph.add_edges(link.edge for link in links)
        self._links += links

    def work(self, frame_number: int) -> None:
        """One frame's share of what there is to do."""
        self._frame_number = frame_number
        self.background.do_share()
        if self._clearing is not None:
            self._clearing.work(self.graph)

    def moved_lately(self) -> bool:
        """Whether pieces of the map were lined up since this was last asked."""
        moved, self._moved = self._moved, False
        return moved

    def finish(self) -> None:
        """Do all that there is to do, and wait for the solves."""
        self.background.do_all()
        self.backend.finish()

    def older(self, made: Keyframe, S_map_made: np.ndarray, but: Keyframe) -> Keyframe | None:
        """A keyframe of the window, other than `but`, that sees almost the same as `made`."""
        least = self.parts.config.keyframes.reuse_overlap
        piece = self.graph.pieces[but.id]
        alike = self.window.overlapping(made, S_map_made, self.graph, 2, least, piece)
        return next((keyframe for keyframe in alike if keyframe.id != but.id), None)

    def hear(self, way: FeltWay | None) -> None:
        """Take in what was felt of keyframes, and solve with it."""
        if self._felt.tell(way, self.graph):
            self.backend.ask(self._frame_number)

    def beside(self, keyframe_id: int) -> Callable[[int], bool]:
        """Tells whether another keyframe is of this one's piece of the map."""
        return lambda other: self.graph.pieces.together(other, keyframe_id)

    def recall(self, keyframe_id: int) -> Keyframe | None:
        """A keyframe from the window or the archive."""
        if keyframe_id in self.window:
            return self.window[keyframe_id]
        archive = self.parts.archive
        return archive.revive(keyframe_id) if keyframe_id in archive else None

    def live(self, keyframe_id: int) -> Keyframe:
        """A keyframe that is in the window, or brought back into it, and is used now."""
        if keyframe_id not in self.window:
            self.bring_back(self.parts.archive.revive(keyframe_id))
        return self.window.use(keyframe_id)

    def bring_back(self, keyframe: Keyframe) -> Keyframe:
        """Make sure that a keyframe is in the window, and use it."""
        if keyframe.id not in self.window:
            self.parts.archive.remove(keyframe.id)
            self.window.add(keyframe)
        return self.window.use(keyframe.id)

    def _take_in(self, made: Keyframe) -> None:
        self.next_id += 1
        self.window.add(made)
        self.loops.remember(made)

    def _let_go(self, keyframe: Keyframe) -> None:
        self.parts.archive.add(keyframe)
        self.trim()

    def trim(self) -> None:
        """Merge keyframes until the archive is within its limit, and their edges and frames."""
        archive = self.parts.archive
        if not len(archive):
            return
        kept = {*self.graph.anchors, *self._in_use()}.union(*self._busy.values())
        while pairs := archive.redundant(self.graph, kept):
            for gone, into in pairs:
                S_into_gone = merge_nodes(self.graph, gone, into)
                archive.merge(gone, into, S_into_gone)
                self.parts.places.remove(gone)
                self.records.pass_on(gone, into, S_into_gone)
            thin_edges(self.graph)

    def _mature(self, keyframe: Keyframe) -> Iterator[None]:
        """Measure a keyframe's edges again once its points have matured."""
        self._links = [
            one for one in self._links if one.i.id in self.window and one.j.id in self.window
        ]
        linked = [link.track for link in self._links if link.i is keyframe]
        if self.parts.config.fusion.mode == "weighted":
            straighten(keyframe, [*keyframe.tracks, *linked], self.parts.config.tracking)
        for link in [one for one in self._links if keyframe.id in (one.i.id, one.j.id)]:
            if link.i is keyframe:
                yield
            self._measure_again(link, keyframe)

    def _measure_again(self, link: Link, matured: Keyframe) -> None:
        better = remeasured(link, matured, self.parts.config, self.parts.rigid)
        if better is not link:
            self.graph.replace_edge(link.edge, better.edge)
            self._links[self._links.index(link)] = better
