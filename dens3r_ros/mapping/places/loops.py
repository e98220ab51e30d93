# SPDX-License-Identifier: Apache-2.0
"""Places seen before: proposed by looks, verified by geometry both ways, checked by the graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence

import numpy as np

from dens3r_ros.engines.protocol import Engine, Features
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.graph.contradicting import contradiction
from dens3r_ros.mapping.graph.graph import Edge, PoseGraph
from dens3r_ros.mapping.keyframes.keyframing import KeyframeMaker
from dens3r_ros.mapping.keyframes.linking import Link, agree, link, view_of
from dens3r_ros.mapping.places.in_steps import done_at_once
from dens3r_ros.mapping.places.joins import JoinProposals
from dens3r_ros.mapping.places.looks import looks_alike
from dens3r_ros.mapping.places.place_index import PlaceIndex
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.observation import Observation, observe, observe_together
from dens3r_ros.mapping.tracking.track import Track
from dens3r_ros.mapping.tracking.tracker import View, track

_TIED = 4.0
"""Doubts of a keyframe's surest edge up to which a chain of edges counts as short."""
_HURRIED = 2
"""Keyframes that are tried in a hurry."""
_LOOPS_THERE = 4
"""Loops of a keyframe from which on a short chain to it is as good as another loop."""

Recall = Callable[[int], "Keyframe | None"]
Neighbours = Callable[[Keyframe], Sequence[Features]]


class LoopCloser:
    """Finds and proves revisits; `recall` brings a keyframe back from window or archive, and
    `neighbours` what engines of many views look at together with it on the way back."""

    def __init__(
        self,
        engine: Engine,
        config: MapperConfig,
        metric: bool,
        places: PlaceIndex,
        maker: KeyframeMaker,
        recall: Recall,
        neighbours: Neighbours = lambda _: (),
    ) -> None:
        self._engine = engine
        self._config = config
        self._metric = metric
        self._places = places
        self._maker = maker
        self._recall, self._neighbours = recall, neighbours
        self._joins = JoinProposals()
        self.closed = 0
        self.refused = 0

    def remember(self, keyframe: Keyframe) -> None:
        """Let a keyframe be found again."""
        self._places.add(keyframe.id, keyframe.features.frame.image)

    def close(self, made: Keyframe, graph: PoseGraph) -> Iterator[list[Edge]]:
        """Find what loops a new keyframe closes; yields the edges of each, which may join two
        pieces of the map, and none between decodings.

        What is tied well already counts as found: another loop there would tell little. Other
        pieces of the map are looked for whatever is asked about loops.
        """
        settings = self._config.loops
        linked = {edge.i + edge.j - made.id for edge in graph.edges_of(made.id)}
        found = 0
        for candidate in self._candidates(made, linked, graph):
            if found == settings.enough:
                return
            if _well_tied(made.id, candidate, graph):
                found += 1
                continue
            yield []
            edges = yield from self._checked(made, candidate, graph)
            if edges:
                yield edges
                self.closed += 1
                found += 1

    def _checked(
        self, made: Keyframe, candidate: int, graph: PoseGraph
    ) -> Generator[list[Edge], None, list[Edge]]:
        """A loop's edges, if there is one and the graph does not contradict; those of an earlier
        one as well where only both together join two pieces."""
        older = self._recall(candidate)
        links = None if older is None else (yield from self._verified(made, older))
        if links is None or candidate not in graph.poses:
            return []
        if not graph.pieces.together(made.id, candidate):
            return self._joins.judge(*links, graph) if _alike(links[0]) else []
        if contradiction(links[0].edge, graph) > self._config.loops.max_contradiction:
            self.refused += 1
            return []
        return [link.edge for link in links]

    def relocalise(
        self,
        features: Features,
        view: View,
        recent: Sequence[int],
        among: Callable[[int], bool] = lambda keyframe_id: True,
        hurried: bool = False,
    ) -> tuple[Keyframe, Track, Observation] | None:
        """The frame's place against a keyframe that looks like it, or one seen lately; of those
        `among` which it is looked for.

        No more keyframes are tried than `loops.tried_when_lost`, so that being lost costs little;
        fewer still where that is `hurried`, since another piece of the map can begin.
        """
        most = _HURRIED if hurried else self._config.loops.tried_when_lost
        similar = [i for i, _ in self._places.query(features.frame.image, most)]
        tried = dict.fromkeys([*recent[:1], *similar[:1], *recent, *similar])
        found = (self.placed_at(i, features, view) for i in [i for i in tried if among(i)][:most])
        return next((place for place in found if place is not None), None)

    def placed_at(
        self, keyframe_id: int, features: Features, view: View
    ) -> tuple[Keyframe, Track, Observation] | None:
        """A frame's place against one keyframe, if both directions agree on it."""
        return done_at_once(self.placing_at(keyframe_id, features, view))

    def placing_at(
        self, keyframe_id: int, features: Features, view: View
    ) -> Generator[None, None, tuple[Keyframe, Track, Observation] | None]:
        """The same in steps, one for each direction."""
        keyframe = self._recall(keyframe_id)
        if keyframe is None:
            return None
        found = yield from self._placed(features, view, keyframe)
        return None if found is None else (keyframe, *found)

    def believes(self, found: Track) -> bool:
        """Whether a place that nothing led to is seen well enough for one direction."""
        settings = self._config.loops
        return found.matched >= settings.min_overlap and found.inliers >= settings.min_inliers

    def _candidates(self, made: Keyframe, known: Collection[int], graph: PoseGraph) -> list[int]:
        """Keyframes that look like a new one and are not yet linked to it, best first: of its own
        piece of the map those that are old enough, where loops are due."""
        settings = self._config.loops
        due = settings.enabled and made.id % settings.interval == 0
        if not due and len(graph.pieces) == 1:
            return []
        more = settings.candidates + settings.min_gap + len(known)
        newest = made.id - settings.min_gap if due else -1
        alike = [i for i, _ in self._places.alike(made.id, more) if i in graph.poses]
        found = [
            i
            for i in alike
            if i not in known and (i <= newest or not graph.pieces.together(i, made.id))
        ]
        return found[: settings.candidates]

    def _placed(
        self, features: Features, view: View, keyframe: Keyframe
    ) -> Generator[None, None, tuple[Track, Observation] | None]:
        """Track without any expectation, believed only if the image shows there what the keyframe
        shows, and the way back agrees."""
        seen = observe(self._engine, [(features, keyframe.features)], normals=True)[0]
        found = track(seen, view, keyframe, None, self._config.tracking, self._metric)
        if isinstance(found, str) or not self.believes(found):
            return None
        if not looks_alike(keyframe, view, found):
            return None
        yield
        passing = self._maker.from_track(-1, features, view, seen, found, keyframe)
        back = self._back(keyframe, features)
        home = link(back, passing, keyframe, None, self._config, self._metric, loop=True)
        forth = link(seen, keyframe, passing, None, self._config, self._metric, loop=True)
        return (found, seen) if self._convinces(forth, home, keyframe) else None

    def _verified(
        self, made: Keyframe, candidate: Keyframe
    ) -> Generator[list[Edge], None, tuple[Link, Link] | None]:
        """Both directions of a loop, if there is one; the way back only if the way there is."""
        there = observe(self._engine, [(made.features, candidate.features)])[0]
        forth = link(there, candidate, made, None, self._config, self._metric, loop=True)
        if isinstance(forth, str) or not self._enough(forth):
            return None
        yield []
        back = self._back(candidate, made.features)
        start = np.linalg.inv(forth.edge.S_i_j)
        home = link(back, made, candidate, start, self._config, self._metric, loop=True)
        if isinstance(home, str) or not self._convinces(forth, home, candidate):
            return None
        return forth, home

    def _back(self, keyframe: Keyframe, features: Features) -> Observation:
        """The way back: the keyframe's view of a frame, with the context of its neighbours."""
        fits = features.placement.size == keyframe.features.placement.size
        shown = [features, *(self._neighbours(keyframe) if fits else ())]
        return observe_together(self._engine, keyframe.features, shown, told=1)[0]

    def _convinces(self, forth: Link | str, home: Link | str, keyframe: Keyframe) -> bool:
        if isinstance(forth, str) or isinstance(home, str):
            return False
        depth = keyframe.canonical.median_depth
        return self._enough(forth) and self._enough(home) and agree(forth, home, depth)

    def _enough(self, found: Link | str) -> bool:
        return isinstance(found, Link) and self.believes(found.track)


def _alike(forth: Link) -> bool:
    """Whether the newer keyframe of a link shows what the older one shows."""
    return looks_alike(forth.i, view_of(forth.j), forth.track)


def _well_tied(made: int, candidate: int, graph: PoseGraph) -> bool:
    """Whether a new keyframe is near one that many loops hold in place."""
    if candidate not in graph.poses or len(graph.partners(candidate)) < _LOOPS_THERE:
        return False
    doubt = min(edge.doubt for edge in graph.edges_of(made))
    return graph.chained(made, candidate, _TIED * doubt) is not None
