#!/usr/bin/env bash
# cramjam 2.14.0: a `Decompressor` is fed in steps and asked with finish(), but each step must be a whole frame.
#
# Versions: cramjam 2.14.0, zstandard 0.25.0 (for comparison).
#
# Every codec of cramjam has a `Compressor` and a `Decompressor` with a step (`compress`, `decompress`), `flush()` and
# `finish()`. A Compressor takes its input in any pieces. So one would expect a Decompressor to take a file in pieces as
# they are read, as those of zlib, bz2, lzma and zstandard do.
#
# Instead every decompress() decodes what it is given as one complete stream and keeps only the OUTPUT for finish():
# the first half of a valid file raises OSError. Whole frames one after the other are fine. So a file larger than
# memory, or one with a single frame, cannot be read with it in pieces.
#
# Seen (half of a valid file is given to decompress()):
#   gzip    OSError: incomplete deflate stream
#   bzip2   OSError: decompression not finished but EOF reached
#   xz      OSError: premature eof
#   zstd    OSError: incomplete frame
#   lz4     OSError: lz4: truncated frame
#   two whole zstd frames, one a step: all of it
#   zstandard's decompressobj(), the same zstd file in two halves: all of it
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check cramjam==2.14.0 zstandard==0.25.0

cat > "$work/look.py" <<'PYTHON'
import cramjam
import zstandard

data = b"".join(b"vote %d\n" % number for number in range(20_000))
for name in ("gzip", "bzip2", "xz", "zstd", "lz4"):
    codec = getattr(cramjam, name)
    packed = bytes(codec.compress(data))
    try:
        codec.Decompressor().decompress(packed[: len(packed) // 2])
        print(f"{name:7} took half a file")
    except OSError as error:
        print(f"{name:7} OSError: {error}")

whole = cramjam.zstd.Decompressor()
for part in (data[:100_000], data[100_000:]):
    whole.decompress(bytes(cramjam.zstd.compress(part)))
print("two whole zstd frames, one a step:", "all of it" if bytes(whole.finish()) == data else "not all of it")

packed = bytes(cramjam.zstd.compress(data))
other, half = zstandard.ZstdDecompressor().decompressobj(), len(packed) // 2
same = other.decompress(packed[:half]) + other.decompress(packed[half:]) == data
print("zstandard's decompressobj(), the same zstd file in two halves:", "all of it" if same else "not all of it")
PYTHON

"$work/venv/bin/python" "$work/look.py" | tee "$work/seen"
diff "$work/seen" - <<'SEEN'
gzip    OSError: incomplete deflate stream
bzip2   OSError: decompression not finished but EOF reached
xz      OSError: premature eof
zstd    OSError: incomplete frame
lz4     OSError: lz4: truncated frame
two whole zstd frames, one a step: all of it
zstandard's decompressobj(), the same zstd file in two halves: all of it
SEEN
echo "as described"
