"""glibc's memory: keep what was freed instead of giving it back, a thousand page faults a refresh otherwise."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
KEPT_BYTES = 32 * 1024 * 1024


def keep_freed_memory() -> None:
    """Tell glibc to keep up to `KEPT_BYTES` at the top of the heap; elsewhere do nothing."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 2 * KEPT_BYTES)
        mallopt(_M_TOP_PAD, KEPT_BYTES)
