"""Per-subject arrays: growing them for new subjects, and encoding them as msgpack and back, bit for bit."""

from __future__ import annotations

import math
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Scalar = TypeVar("Scalar", bound=np.generic)


def pad(array: NDArray[Scalar], size: int) -> NDArray[Scalar]:
    """Pad the last axis with zeros to `size`; return the array itself when it is long enough.

    >>> pad(np.ones((2, 1)), 3).tolist()
    [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    missing = size - array.shape[-1]
    if missing <= 0:
        return array
    return np.concatenate([array, np.zeros((*array.shape[:-1], missing), array.dtype)], axis=-1)


def grow(state: object, size: int, *fields: str) -> None:
    """Lengthen the named per-subject arrays of a state, in place."""
    for name in fields:
        setattr(state, name, pad(getattr(state, name), size))


class _ShapedArray(msgspec.Struct):
    dtype: str
    shape: tuple[int, ...]
    data: bytes


_ALLOWED = {"<f8", "<f4", "<i8", "<i2", "|i1", "|b1", "|u1", "<u2", "<u4", "<u8"}


def pack(value: object) -> bytes:
    """Encode structs, dataclasses and arrays."""
    return _encode(value)


def unpack(packed: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Decode the output of `pack` for a `kind`; raises `ValueError` (`msgspec.MsgspecError` is one) when damaged."""
    return msgspec.msgpack.Decoder(kind, dec_hook=_array_of).decode(packed)


def _plain(value: object) -> _ShapedArray:
    if not isinstance(value, np.ndarray):
        raise NotImplementedError(f"{type(value).__name__} has no place in a state")
    flat = np.ascontiguousarray(value)
    return _ShapedArray(
        value.dtype.str, value.shape, (np.packbits(flat) if value.dtype == np.bool_ else flat).tobytes()
    )


def _array_of(kind: type, plain: object) -> NDArray[np.generic]:
    array = msgspec.convert(plain, _ShapedArray)
    if array.dtype not in _ALLOWED:
        raise ValueError(f"no arrays of {array.dtype!r} here")
    if array.dtype == "|b1":
        bits = np.unpackbits(np.frombuffer(array.data, np.uint8), count=math.prod(array.shape))
        return bits.astype(np.bool_).reshape(array.shape)
    return np.frombuffer(array.data, array.dtype).reshape(array.shape).copy()


_encode = msgspec.msgpack.Encoder(enc_hook=_plain).encode
