# SPDX-License-Identifier: Apache-2.0
"""Encodings of images, which are dataclasses of tensors, taken apart and put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

Tokens = TypeVar("Tokens")


def one_by_one(batch: Tokens, count: int) -> list[Tokens]:
    """Each image by itself in memory of its own: one that is kept does not keep the batch."""
    if count == 1:
        return [batch]
    return [_each(partial(_one, index), [batch]) for index in range(count)]


def together(tokens: Sequence[Tokens]) -> Tokens:
    """Encodings of one size as a batch."""
    return tokens[0] if len(tokens) == 1 else _each(torch.cat, tokens)


def _one(index: int, parts: Sequence[Tensor]) -> Tensor:
    return parts[0][index : index + 1].clone()


def _each(work: Callable[[list[Tensor]], Tensor], tokens: Sequence[Tokens]) -> Tokens:
    first = tokens[0]
    values = {
        field.name: _value(work, [getattr(one, field.name) for one in tokens])
        for field in fields(first)  # type: ignore[arg-type]
    }
    return type(first)(**values)


def _value(work: Callable[[list[Tensor]], Tensor], values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, Tensor):
        return work(values)
    if isinstance(first, dict):
        return {key: _value(work, [value[key] for value in values]) for key in first}
    return first
