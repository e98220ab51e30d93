# SPDX-License-Identifier: Apache-2.0
"""The network family: pixels of a pair to pointmaps, confidence, normals and descriptors."""

from dens3r_ros.network.checkpoints.errors import WeightsError
from dens3r_ros.network.checkpoints.load import load_network, save_network
from dens3r_ros.network.pairwise.backbone import States, Tokens
from dens3r_ros.network.pairwise.description import (
    ConfidenceRange,
    DescriptorSize,
    DptSize,
    NetworkDescription,
    NetworkInfo,
    TransformerSize,
)
from dens3r_ros.network.pairwise.network import Network
from dens3r_ros.network.pairwise.portrait import turn_back, turn_images
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
    "load_network",
    "save_network",
    "turn_back",
    "turn_images",
]
