"""Picture files written by hand, byte by byte, for tools/make_gallery.py: kinds that Pillow does not write."""
import struct
import zlib

import numpy as np


def packed(values, bits):
    """Rows of whole numbers as rows of bytes: `bits` each, the highest first, rows filled up to whole bytes."""
    rows = []
    for row in values.reshape(values.shape[0], -1):
        ones = ((row[:, None].astype(np.uint32) >> np.arange(bits - 1, -1, -1)) & 1).astype(np.uint8)
        rows.append(np.packbits(ones.ravel()).tobytes())
    return rows


# ---- PNG
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(values, bits, colour_type, extra=()):
    """`extra`: (kind, data) of chunks before the pixels."""
    height, width = values.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    raw = b"".join(b"\0" + row for row in packed(values, bits))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunk(*one) for one in extra)
            + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


def png_header(width, height):
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def exif(orientation, order=">"):
    """A block of EXIF with one entry."""
    mark = b"MM" if order == ">" else b"II"
    return mark + struct.pack(order + "HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


# ---- BMP
def bmp(width, height, bits, pixels, compression=0, palette=b"", masks=(), header_bytes=40, colours=0):
    """`palette`: its bytes as they are stored. Masks lie behind a header of 40 bytes, within larger ones."""
    if header_bytes == 12:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
        inside = b""
    else:
        header = struct.pack("<IiiHHIIiiII", header_bytes, width, height, 1, bits, compression, len(pixels),
                             2835, 2835, colours, 0)
        inside = b"".join(struct.pack("<I", mask) for mask in masks)
        if header_bytes > 40:
            header = (header + inside).ljust(header_bytes, b"\0")
            inside = b""
    start = 14 + len(header) + len(inside) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + inside + palette + pixels


def bmp_rows(rows, top_down=False):
    rows = [row + b"\0" * (-len(row) % 4) for row in rows]
    return b"".join(rows if top_down else rows[::-1])


def rle8(indices):
    """Runs where two or more are alike, the others copied; the last row first."""
    out = b""
    for row in indices[::-1]:
        x = 0
        while x < len(row):
            run = 1
            while x + run < len(row) and row[x + run] == row[x] and run < 255:
                run += 1
            if run > 1 or len(row) - x < 3:
                out += bytes([run, row[x]])
                x += run
            else:
                few = bytes(row[x:x + 5])
                few = few if len(few) >= 3 else few[:1]
                out += bytes([0, len(few)]) + few + b"\0" * (len(few) % 2)
                x += len(few)
        out += b"\0\0"
    return out[:-2] + b"\0\1"


def rle4(indices):
    out = b""
    for row in indices[::-1]:
        for x in range(0, len(row) - 1, 2):
            out += bytes([2, row[x] << 4 | row[x + 1]])
        if len(row) % 2:
            out += bytes([1, row[-1] << 4])
        out += b"\0\0"
    return out[:-2] + b"\0\1"


# ---- TIFF
def tiff(width, height, tags, chunks, order="<", tiled=False):
    """One page. `tags`: {number: a number or several}, SHORT where they fit; `chunks`: its strips or tiles."""
    data = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 0)
    places = []
    for one in chunks:
        places.append(len(data))
        data += one + b"\0" * (len(one) % 2)
    tags = {256: width, 257: height, **tags,
            (324 if tiled else 273): places, (325 if tiled else 279): [len(one) for one in chunks]}
    if not tiled:
        tags.setdefault(278, height)
    entries = b""
    for number in sorted(tags):
        values = tags[number] if isinstance(tags[number], (list, tuple)) else [tags[number]]
        kind, letter = (3, "H") if max(values) < 65536 else (4, "I")
        body = struct.pack(order + letter * len(values), *values)
        if len(body) > 4:
            place = struct.pack(order + "I", len(data))
            data += body + b"\0" * (len(body) % 2)
        else:
            place = body.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", number, kind, len(values)) + place
    directory = struct.pack(order + "I", len(data))
    data += struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", 0)
    return data[:4] + directory + data[8:]


def tiles(values, side):
    """Bytes of square tiles, row by row, filled up with zeros."""
    height, width = values.shape[:2]
    out = []
    for top in range(0, height, side):
        for left in range(0, width, side):
            tile = np.zeros((side, side) + values.shape[2:], values.dtype)
            part = values[top:top + side, left:left + side]
            tile[:part.shape[0], :part.shape[1]] = part
            out.append(tile.tobytes())
    return out


# ---- GIF
def lzw(indices, bits):
    """Codes that never grow: the table is cleared in time. Larger than need be, and simple."""
    clear, code_bits = 1 << bits, bits + 1
    codes, room = [], (1 << bits) - 2
    for i, index in enumerate(indices):
        if i % room == 0:
            codes.append(clear)
        codes.append(int(index))
    codes.append(clear + 1)
    number = 0
    for i, code in enumerate(codes):
        number |= code << (i * code_bits)
    data = number.to_bytes((len(codes) * code_bits + 7) // 8, "little")
    blocks = b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255))
    return bytes([bits]) + blocks + b"\0"


def gif_palette(colours):
    size = 1
    while 2 << size - 1 < len(colours):
        size += 1
    flat = np.zeros((1 << size, 3), np.uint8)
    flat[:len(colours)] = colours
    return size, flat.tobytes()


def gif(screen, frames, colours=None, version=b"89a", end=b";"):
    """`frames`: dicts of indices, left, top, transparent (an index), interlaced, colours (a palette of its own)."""
    flags, palette = 0, b""
    if colours is not None:
        size, palette = gif_palette(colours)
        flags = 0x80 | (size - 1)
    out = b"GIF" + version + struct.pack("<HHBBB", *screen, flags, 0, 0) + palette
    for frame in frames:
        if "transparent" in frame:
            out += b"\x21\xf9\x04\x01\0\0" + bytes([frame["transparent"]]) + b"\0"
        indices = frame["indices"]
        height, width = indices.shape
        own, own_palette = 0, b""
        if "colours" in frame:
            size, own_palette = gif_palette(frame["colours"])
            own = 0x80 | (size - 1)
        if frame.get("interlaced"):
            own |= 0x40
            order = [*range(0, height, 8), *range(4, height, 8), *range(2, height, 4), *range(1, height, 2)]
            indices = indices[order]
        out += (b"," + struct.pack("<HHHHB", frame.get("left", 0), frame.get("top", 0), width, height, own)
                + own_palette + lzw(indices.ravel(), 8))
    return out + end


# ---- WebP, ISO
def riff(chunks):
    body = b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def with_iso_size(data, width, height):
    """The file with other sides in its boxes: ispe, and clap, which cuts to size."""
    for box, sides in ((b"ispe", struct.pack(">II", width, height)), (b"clap", struct.pack(">IIII", width, 1, height, 1))):
        start = 8 if box == b"ispe" else 4
        at = data.find(box)
        while at >= 0:
            data = data[:at + start] + sides + data[at + start + len(sides):]
            at = data.find(box, at + 4)
    return data
