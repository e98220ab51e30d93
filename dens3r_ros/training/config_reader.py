# SPDX-License-Identifier: Apache-2.0
"""From YAML to dataclasses, with a sentence for whatever does not fit."""

from __future__ import annotations

import json
import types
from dataclasses import asdict, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from dens3r_ros.training.config import TrainingConfig

T = TypeVar("T")
CONFIG = "config.yaml"
"""In a run's folder: what it is, with every change that was asked for."""


def read_config(path: Path | str, changes: list[str] | None = None) -> TrainingConfig:
    """Read a training configuration; `changes` are "a.b=value", with list places as numbers.

    "phases.*.losses.matching=0" changes every phase.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text file, so no configuration") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected keys and values, found {type(values).__name__}")
    for change in changes or []:
        _apply(values, change)
    try:
        return build(TrainingConfig, values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_config(path: Path, config: TrainingConfig) -> None:
    """Write what `read_config` reads as the same configuration."""
    plain = json.loads(json.dumps(asdict(config)))
    path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")


def build(kind: type[T], values: Any, where: str = "") -> T:
    """Make the dataclass `kind`, and those inside it, from plain values."""
    if not isinstance(values, dict):
        raise ValueError(f"{where or 'top level'}: expected keys and values, found {values!r}")
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in names:
            close = get_close_matches(str(key), names, 1)
            hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(names)}"
            raise ValueError(f"{_joined(where, key)}: unknown key{hint}")
    made = {key: _convert(hints[key], value, _joined(where, key)) for key, value in values.items()}
    try:
        return kind(**made)
    except TypeError as error:
        missing = [n for n in names if n not in made and f"'{n}'" in str(error)]
        raise ValueError(f"{where or 'top level'}: missing {', '.join(missing)}") from error


def _joined(where: str, key: Any) -> str:
    return f"{where}.{key}" if where else str(key)


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        return _convert(next(i for i in inner if i is not type(None)), value, where)
    if is_dataclass(hint):
        return build(hint, value, where)  # type: ignore[arg-type]
    if origin is Literal:
        return _literal(inner, value, where)
    if origin is tuple:
        return _tuple(inner, value, where)
    return _scalar(hint, value, where)


def _literal(allowed: tuple[Any, ...], value: Any, where: str) -> Any:
    if value not in allowed:
        raise ValueError(f"{where}: {value!r} is none of {', '.join(map(str, allowed))}")
    return value


def _tuple(inner: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{where}: expected a list, found {value!r}")
    if len(inner) == 2 and inner[1] is Ellipsis:
        inner = (inner[0],) * len(value)
    if len(inner) != len(value):
        raise ValueError(f"{where}: expected {len(inner)} values, found {len(value)}")
    kinds = zip(inner, value, strict=True)
    return tuple(_convert(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(kinds))


def _scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is float and isinstance(value, int | float | str) and not isinstance(value, bool):
        try:  # YAML 1.1 reads 1e-3 as a text
            return float(value)
        except ValueError:
            pass
    elif isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise ValueError(f"{where}: expected {hint.__name__}, found {value!r}")


def _apply(values: Any, change: str) -> None:
    path, sign, text = change.partition("=")
    if not sign:
        raise ValueError(f"{change!r}: expected KEY=VALUE")
    _set(values, path.split("."), yaml.safe_load(text), change)


def _set(values: Any, path: list[str], value: Any, change: str) -> None:
    key, rest = path[0], path[1:]
    if isinstance(values, list):
        places = range(len(values)) if key == "*" else [int(key)] if key.isdigit() else []
        if not places or max(places) >= len(values):
            raise ValueError(f"{change!r}: {key} is no place in a list of {len(values)}")
        targets: list[Any] = list(places)
    else:
        targets = [key]
    for target in targets:
        if not rest:
            values[target] = value
            continue
        if isinstance(values, dict):
            values.setdefault(target, {})
        _set(values[target], rest, value, change)
