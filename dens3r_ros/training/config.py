# SPDX-License-Identifier: Apache-2.0
"""What a training run is: one frozen description, read from YAML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dens3r_ros.network.multiview.description import AnyViewDescription
from dens3r_ros.network.pairwise.description import NetworkDescription

MOST_VIEWS = 7
"""That can be rendered of one scene."""


@dataclass(frozen=True)
class LossWeights:
    """How much each part of the recipe counts; 0 switches it off.

    points            scale-invariant pointmaps of both views (as they are for metric networks)
    canonical         intrinsic-invariant pointmaps: both scenes stretched to one focal length
    focal             log ratio of the implied focal length to the true one
    confidence        the cost alpha of saying that one does not know; 0: no learned confidence
    pointmap_normals  1 - cos between the normals of predicted and true pointmaps
    matching          InfoNCE between descriptors at true correspondences
    normals           1 - cos of predicted normals
    """

    points: float = 1.0
    canonical: float = 0.0
    focal: float = 0.0
    confidence: float = 0.2
    pointmap_normals: float = 0.0
    matching: float = 0.0
    normals: float = 0.0


@dataclass(frozen=True)
class Phase:
    """A stretch of training.

    sizes           (width, height) of images, pixels, multiples of the patch size; they take turns
    pairs           how many to learn from
    batch           pairs a step, over all processes
    lr, lr_end      learning rate, falling along a cosine
    warmup          pairs over which the rate rises from 0
    chunk           batches rendered at once
    echo            how often each rendered pair is learned from, in another order each time
    """

    sizes: tuple[tuple[int, int], ...]
    pairs: int
    batch: int
    lr: float
    lr_end: float
    warmup: int = 0
    chunk: int = 1
    echo: int = 1
    losses: LossWeights = LossWeights()

    @property
    def steps(self) -> int:
        """Steps of this phase; the last pairs that fill no batch are left out."""
        return max(1, self.pairs // self.batch)

    @property
    def chunks(self) -> int:
        """Renderings of this phase; the last may not be used up."""
        return -(-self.steps // (self.chunk * self.echo))


@dataclass(frozen=True)
class Optimization:
    """How weights move.

    method       adamw, or muon for the matrices inside blocks and adamw for all else
    clip         largest norm of the gradient
    layer_decay  each layer further from the output learns this much slower
    frozen       weights whose names begin so do not learn
    """

    method: Literal["adamw", "muon"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.05
    clip: float = 1.0
    layer_decay: float = 1.0
    frozen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matching:
    """Correspondences for the matching loss."""

    count: int = 256
    temperature: float = 0.07
    exclusion: float = 1.0
    """Pixels within which another correspondence is no rival."""


@dataclass(frozen=True)
class Completion:
    """Masking for cross-view completion."""

    masked: float = 0.75
    """Share of the first view's patches that are hidden."""


@dataclass(frozen=True)
class ViewsTraining:
    """A network of many views, and what counts while it learns; see `losses/views_losses.py`.

    network     may be left out where `init` names a checkpoint, whose network it then is
    counts      views of a scene, which take turns from one rendering to the next
    depth       depth of every view, with learned confidence
    points      all views' points in the first view's frame, through the predicted cameras
    cameras     poses and fields of view
    rays        the ray maps, which published engines can find cameras by
    confidence  the cost alpha of saying that one does not know
    """

    network: AnyViewDescription | None = None
    counts: tuple[int, ...] = (2, 3, 4)
    depth: float = 1.0
    points: float = 1.0
    cameras: float = 1.0
    rays: float = 0.2
    confidence: float = 0.2

    def __post_init__(self) -> None:
        if not self.counts or min(self.counts) < 2 or max(self.counts) > MOST_VIEWS:
            raise ValueError(f"views.counts: each must be 2 to {MOST_VIEWS}, not {self.counts}")


@dataclass(frozen=True)
class Evaluation:
    """Watching the run on held-out pairs."""

    pairs: int = 128
    batch: int = 64
    minutes: float = 2.0
    pictures: int = 6


@dataclass(frozen=True)
class TrainingConfig:
    """One training run, whole.

    network     may be left out where `init` names a checkpoint, whose network it then is
    objective   pairs: the recipe; completion: cross-view completion, to start another run from;
                views: a network of many views, as `views` says; what is called pairs elsewhere
                are then sets of views, and `losses` of phases, `symmetric` and `matching` are
                not used
    init        checkpoint to take weights from, wherever name and shape agree
    symmetric   use every pair in both orders; with a shared decoder only the heads run twice
    motion      share of pairs between whose images people or things have moved: points are then
                those of each image's own time, and what moves is matched with nothing
    ema         decay a step of the averaged weights, the ones that are evaluated and exported
    precision   auto: bfloat16 on GPUs that have it, else float32; heads stay in float32
    ahead       batches rendered ahead by a thread of its own; 0 renders in line
    reference_focal  of canonical pointmaps, in units of the image's longer side
    """

    phases: tuple[Phase, ...]
    network: NetworkDescription | None = None
    objective: Literal["pairs", "completion", "views"] = "pairs"
    init: str | None = None
    seed: int = 0
    symmetric: bool = True
    motion: float = 0.0
    ema: float = 0.999
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool = False
    ahead: int = 2
    reference_focal: float = 1.0
    checkpoint_minutes: float = 1.0
    optimization: Optimization = Optimization()
    matching: Matching = Matching()
    completion: Completion = Completion()
    evaluation: Evaluation = Evaluation()
    views: ViewsTraining | None = None

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("phases: at least one is needed")
        if (self.objective == "views") != (self.views is not None):
            raise ValueError("views: needed for objective views, and for no other")
        described = self.network if self.views is None else self.views.network
        if described is None and self.init is None:
            where = "network" if self.views is None else "views.network"
            raise ValueError(f"{where}: needed where init names no checkpoint to take it from")
        if not 0 <= self.motion <= 1:
            raise ValueError(f"motion: a share of pairs, from 0 to 1, not {self.motion}")
        if self.motion and self.views is not None:
            raise ValueError("motion: for pairs; sets of views are of scenes that stand still")
        if self.views is not None and self.network is not None:
            raise ValueError("network: that of objective views is views.network")

    @property
    def total_pairs(self) -> int:
        """Pairs seen by the whole run."""
        return sum(phase.steps * phase.batch for phase in self.phases)
