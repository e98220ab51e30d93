# SPDX-License-Identifier: Apache-2.0
"""The networks: families side by side that turn the pixels of one or more images into geometry."""

from dens3r_ros.network.checkpoints.load import (
    build_network,
    load_network,
    load_pairwise,
    save_network,
)
from dens3r_ros.network.errors import WeightsError
from dens3r_ros.network.pairwise.backbone import States, Tokens
from dens3r_ros.network.pairwise.description import (
    ConfidenceRange,
    DescriptorSize,
    DptSize,
    NetworkDescription,
    TransformerSize,
)
from dens3r_ros.network.pairwise.network import Network
from dens3r_ros.network.pairwise.portrait import turn_back, turn_images
from dens3r_ros.network.parts.info import NetworkInfo
from dens3r_ros.network.prediction import PairPrediction

__all__ = [
    "ConfidenceRange",
    "DescriptorSize",
    "DptSize",
    "Network",
    "NetworkDescription",
    "NetworkInfo",
    "PairPrediction",
    "States",
    "Tokens",
    "TransformerSize",
    "WeightsError",
    "build_network",
    "load_network",
    "load_pairwise",
    "save_network",
    "turn_back",
    "turn_images",
]
