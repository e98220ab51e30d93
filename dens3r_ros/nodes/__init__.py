# SPDX-License-Identifier: Apache-2.0
"""Everything that talks ROS: conversion, parameters, publishing, transforms, the node."""
