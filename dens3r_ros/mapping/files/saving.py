# SPDX-License-Identifier: Apache-2.0
"""A running map as what its file holds, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dens3r_ros.mapping.archive.stored import pack
from dens3r_ros.mapping.files.map_file import LoadedMap, MapFileError, SavedKeyframe, SavedMap
from dens3r_ros.mapping.session import MappingSession
from dens3r_ros.mapping.world import Parts


def to_save(session: MappingSession) -> SavedMap:
    """Everything there is to save, as it stands: nothing in it is changed by later frames."""
    parts, world = session.parts, session.world
    return SavedMap(
        parts.engine.info,
        parts.metric,
        session.levelled_by,
        world.next_id,
        dict(world.graph.poses),
        world.graph.edges,
        world.records.copy(),
        list(_keyframes(session)),
        dict(world.graph.priors),
    )


def _keyframes(session: MappingSession) -> Iterator[SavedKeyframe]:
    parts, window = session.parts, session.world.window
    for keyframe_id in sorted({*parts.archive, *(keyframe.id for keyframe in window)}):
        if keyframe_id in window:
            stored = pack(window[keyframe_id], parts.config.archive.jpeg_quality)
        else:
            stored = parts.archive.stored(keyframe_id)
        yield SavedKeyframe(stored, parts.places.descriptor(keyframe_id))


def restored(loaded: LoadedMap, parts: Parts, epoch: int) -> MappingSession:
    """A session that begins lost in a loaded map; MapFileError where the engine cannot use it."""
    if loaded.info.metric != parts.metric:
        kinds = {True: "metres", False: "a free unit"}
        raise MapFileError(
            f"the map's lengths are in {kinds[loaded.info.metric]}, those of this engine"
            f" ({parts.engine.info.name}) in {kinds[parts.metric]}: load it with an engine like"
            f" {loaded.info.engine}, or set scale accordingly"
        )
    for keyframe in loaded.keyframes:
        parts.archive.put(keyframe.stored)
        parts.places.put(keyframe.stored.id, keyframe.place)
    session = MappingSession(parts, epoch)
    session.world.next_id = loaded.next_id
    for keyframe_id in sorted(loaded.poses):
        session.world.graph.add_keyframe(keyframe_id, loaded.poses[keyframe_id])
    session.world.graph.add_edges(loaded.edges)
    for keyframe_id, prior in loaded.priors.items():
        session.world.graph.expect_scale(keyframe_id, prior)
    records = session.world.records
    records.extend(replace(record, epoch=epoch) for record in loaded.records)
    session.world.trim()
    session.levelled_by = loaded.info.levelled_by
    for keyframe in loaded.keyframes:
        stored = keyframe.stored
        whole = stored.intrinsics if parts.engine.info.guided else None
        session.streams[stored.camera_name].expect_lens(stored.camera, whole)
    return session
