#!/usr/bin/env python3
"""Makes the gallery in tests/files/gallery/: a picture file of every kind that Enxerto reads, some that it refuses,
some that want to deceive it, and what has to come of each, for enxerto/image/gallery_test.cpp.

    /work/py/torch/bin/python tools/make_gallery.py

Needs Pillow 13 with WebP and AVIF, and numpy; for the HEIF files also pillow-heif, without which those of an earlier
run stay. Names and expectations are in list.txt, one file a line:

    FILE pixels EXPECTED.png LARGEST    decodes to that picture; no value is off by more than LARGEST
    FILE corrupt|unsupported            is an Error of that kind

What lossless files have to give is computed here from the pixels that went in, by the rules of
docs/formats/pictures.md; what lossy ones have to give is what Pillow makes of them, by the same rules.
"""
import io
import pathlib
import struct
import sys
import zlib

import numpy as np
from PIL import Image

from gallery_bytes import (bmp, bmp_rows, chunk, exif, gif, packed, png, png_header, riff, rle4, rle8, tiff, tiles,
                           with_iso_size)
from gallery_pixels import (HEIGHT, WIDTH, alpha_ramp, cmyk_scene, eight, from_cmyk, grey, indices_of, over_white,
                            palette_of, scene, smooth, turned, upright, wide)

try:
    import pillow_heif
except ImportError:
    pillow_heif = None

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "files" / "gallery"
lines, expected_names, written = [], {}, set()


# ---- Files
def write(name, data):
    written.add(name)
    (FOLDER / name).write_bytes(data)


def expected_file(pixels):
    """The name of a PNG with these pixels; one file for all that are alike."""
    key = (pixels.shape, pixels.tobytes())
    if key not in expected_names:
        name = f"expected_{len(expected_names):02}.png"
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "png", optimize=True)
        write(name, out.getvalue())
        expected_names[key] = name
    return expected_names[key]


def good(name, data, pixels, largest=0):
    write(name, data)
    lines.append(f"{name} pixels {expected_file(np.ascontiguousarray(pixels))} {largest}")


def bad(name, data, kind="corrupt"):
    write(name, data)
    lines.append(f"{name} {kind}")


def saved(picture, kind, **options):
    out = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(out, kind, **options)
    return out.getvalue()


def pillow(data, mode="RGB"):
    """What Pillow makes of a file, alpha over white."""
    picture = Image.open(io.BytesIO(data))
    if picture.mode in ("RGBA", "LA"):
        pixels = np.array(picture.convert("RGBA"))
        return over_white(pixels[..., :3], pixels[..., 3])
    return np.array(picture.convert(mode))


# ---- JPEG
def without_segment(data, marker):
    at = 2
    while data[at + 1] != 0xDA:
        length = struct.unpack(">H", data[at + 2:at + 4])[0] + 2
        if data[at + 1] == marker:
            return data[:at] + data[at + length:]
        at += length
    sys.exit(f"no segment {marker:02X}")


def frame_at(data):
    return max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))


def with_frame(data, offset, replacement):
    at = frame_at(data) + offset
    return data[:at] + replacement + data[at + len(replacement):]


def jpegs():
    plain = saved(scene(), "jpeg", quality=90, subsampling=0)
    good("jpeg_444.jpg", plain, pillow(plain), 1)
    for name, options in {"jpeg_420.jpg": {}, "jpeg_422.jpg": {"subsampling": 1}, "jpeg_progressive.jpg": {"progressive": True},
                          "jpeg_restart.jpg": {"restart_marker_blocks": 2}, "jpeg_rgb.jpg": {"keep_rgb": True}}.items():
        data = saved(scene(), "jpeg", quality=85, **options)
        good(name, data, pillow(data), 1)
    data = saved(grey(), "jpeg", quality=85)
    good("jpeg_grey.jpg", data, pillow(data, "L"), 1)
    ink = Image.fromarray(cmyk_scene(), "CMYK")
    cmyk = saved(ink, "jpeg", quality=90)
    good("jpeg_cmyk.jpg", cmyk, pillow(cmyk), 1)
    progressive = saved(ink, "jpeg", quality=90, progressive=True)
    good("jpeg_cmyk_progressive.jpg", progressive, pillow(progressive), 1)
    # Without Adobe's marker 255 stands for full ink; Pillow takes all files for Adobe's.
    data = without_segment(cmyk, 0xEE)
    good("jpeg_cmyk_not_adobe.jpg", data, from_cmyk(255 - np.array(Image.open(io.BytesIO(data)))), 1)
    # YCCK: the YCbCr of the light that the ink leaves, stored as if it were CMY, and so declared.
    ycc = np.array(Image.fromarray(255 - cmyk_scene()[..., :3]).convert("YCbCr"))
    stored = np.concatenate([255 - ycc, cmyk_scene()[..., 3:]], axis=2)
    data = saved(Image.fromarray(stored, "CMYK"), "jpeg", quality=90)
    at = data.index(b"Adobe") + 11
    data = data[:at] + b"\2" + data[at + 1:]
    good("jpeg_ycck.jpg", data, pillow(data), 2)
    for orientation in range(1, 9):
        data = saved(turned(scene(24, 16), orientation), "jpeg", quality=90, exif=b"Exif\0\0" + exif(orientation, "<>"[orientation % 2]))
        raw = np.array(Image.open(io.BytesIO(data)))
        good(f"jpeg_orientation_{orientation}.jpg", data, upright(raw, orientation), 1)
    bad("jpeg_12_bits.jpg", with_frame(plain, 4, b"\x0c"), "unsupported")
    bad("jpeg_lossless.jpg", with_frame(plain, 1, b"\xc3"), "unsupported")
    bad("jpeg_200_megapixels.jpg", with_frame(plain, 5, struct.pack(">HH", 10000, 20000))[:frame_at(plain) + 19])
    bad("jpeg_16_megapixels.jpg", with_frame(plain, 5, struct.pack(">HH", 4000, 4000)))
    bad("jpeg_no_frame.jpg", b"\xff\xd8\xff\xd9")


# ---- PNG
def pngs():
    for bits in (1, 2, 4, 8):
        values = grey() >> (8 - bits)
        good(f"png_grey_{bits}.png", png(values, bits, 0), eight(values, (1 << bits) - 1))
        indices = indices_of(1 << bits)
        colours = palette_of(1 << bits)
        good(f"png_palette_{bits}.png", png(indices, bits, 3, [(b"PLTE", colours.tobytes())]), colours[indices])
    good("png_grey_16.png", png(wide(grey(), 1), 16, 0), eight(wide(grey(), 1)))
    good("png_rgb_8.png", png(scene(), 8, 2), scene())
    good("png_rgb_16.png", png(wide(scene(), 2), 16, 2), eight(wide(scene(), 2)))
    alpha = alpha_ramp()
    good("png_grey_alpha_8.png", png(np.dstack([grey(), alpha]), 8, 4), over_white(grey(), alpha))
    good("png_rgb_alpha_8.png", png(np.dstack([scene(), alpha]), 8, 6), over_white(scene(), alpha))
    deep, deep_alpha = wide(scene(), 3), wide(alpha, 4)
    good("png_rgb_alpha_16.png", png(np.dstack([deep, deep_alpha]), 16, 6), over_white(eight(deep), eight(deep_alpha)))
    deep = wide(grey(), 5)
    good("png_grey_alpha_16.png", png(np.dstack([deep, deep_alpha]), 16, 4), over_white(eight(deep), eight(deep_alpha)))
    indices, colours = indices_of(16), palette_of(16)
    clear = np.array([0, 128, 255, 60], np.uint8)
    alphas = np.concatenate([clear, np.full(12, 255, np.uint8)])
    good("png_palette_transparent.png", png(indices, 4, 3, [(b"PLTE", colours.tobytes()), (b"tRNS", clear.tobytes())]),
         over_white(colours[indices], alphas[indices]))
    value = int(grey()[2, 3])
    good("png_grey_transparent.png", png(grey(), 8, 0, [(b"tRNS", struct.pack(">H", value))]),
         np.where(grey() == value, 255, grey()).astype(np.uint8))
    value = scene()[6, 8]
    good("png_rgb_transparent.png", png(scene(), 8, 2, [(b"tRNS", struct.pack(">HHH", *map(int, value)))]),
         np.where((scene() == value).all(axis=2, keepdims=True), 255, scene()).astype(np.uint8))
    interlaced = zlib.compress(b"".join(b"\0" + row for part in adam7(scene()) for row in packed(part, 8)))
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1)
    good("png_interlaced.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", interlaced)
         + chunk(b"IEND", b""), scene())
    for orientation in range(1, 9):
        good(f"png_orientation_{orientation}.png",
             png(turned(scene(24, 16), orientation), 8, 2, [(b"eXIf", exif(orientation))]), scene(24, 16))
    good("png_1x1.png", png(scene()[:1, :1], 8, 2), scene()[:1, :1])
    line = np.resize(grey(), (1, 30000))
    good("png_30000x1.png", png(line, 8, 0), line)
    bad("png_200_megapixels.png", png_header(20000, 10000))
    bad("png_9_megapixels.png", png_header(3000, 3000) + chunk(b"IDAT", zlib.compress(bytes(27000), 0)) + chunk(b"IEND", b""))
    bad("png_no_pixels.png", png_header(0, 5) + chunk(b"IEND", b""))


def adam7(values):
    for top, left, down, right in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        if values[top::down, left::right].size:
            yield values[top::down, left::right]


# ---- WebP
def webps():
    alpha = np.dstack([scene(), alpha_ramp()])
    lossy = saved(scene(), "webp", quality=80)
    good("webp_lossy.webp", lossy, pillow(lossy), 1)
    data = saved(alpha, "webp", quality=80)
    good("webp_lossy_alpha.webp", data, pillow(data), 1)
    lossless = saved(scene(), "webp", lossless=True)
    good("webp_lossless.webp", lossless, scene())
    good("webp_lossless_alpha.webp", saved(alpha, "webp", lossless=True, exact=True), over_white(alpha[..., :3], alpha[..., 3]))
    frames = [Image.fromarray(scene()), Image.fromarray(scene()[::-1].copy())]
    good("webp_animated.webp", saved(frames[0], "webp", save_all=True, append_images=frames[1:], lossless=True), scene())
    for orientation in (1, 3, 6):
        block = exif(orientation) if orientation != 3 else b"Exif\0\0" + exif(orientation)
        good(f"webp_orientation_{orientation}.webp",
             saved(turned(scene(24, 16), orientation), "webp", lossless=True, exif=block), scene(24, 16))
    # An animation whose first frame covers a part of the canvas.
    small = saved(scene(20, 10), "webp", lossless=True)[12:]
    head = struct.pack("<II", 0x02, 0)[:4] + struct.pack("<I", WIDTH - 1)[:3] + struct.pack("<I", HEIGHT - 1)[:3]
    frame = b"".join(struct.pack("<I", n)[:3] for n in (6 // 2, 4 // 2, 20 - 1, 10 - 1, 100)) + b"\0" + small
    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    canvas[4:14, 6:26] = scene(20, 10)
    good("webp_frame_on_canvas.webp", riff([(b"VP8X", head), (b"ANIM", bytes(6)), (b"ANMF", frame)]), canvas)
    good("webp_1x1.webp", saved(scene()[:1, :1], "webp", lossless=True), scene()[:1, :1])
    line = np.resize(scene(), (1, 16383, 3))
    good("webp_16383x1.webp", saved(line, "webp", lossless=True), line)
    vp8 = lossy[20:]
    at = vp8.index(b"\x9d\x01\x2a") + 3
    bad("webp_200_megapixels.webp", riff([(b"VP8 ", vp8[:at] + struct.pack("<HH", 16000, 12500))]))
    bad("webp_16_megapixels.webp", riff([(b"VP8 ", vp8[:at] + struct.pack("<HH", 4000, 4000) + vp8[at + 4:])]))
    bits = (16000 - 1) | (12500 - 1) << 14
    bad("webp_200_megapixels_lossless.webp", riff([(b"VP8L", b"\x2f" + struct.pack("<I", bits) + bytes(20))]))
    bad("webp_no_frame.webp", riff([(b"VP8X", head)]))


# ---- GIF
def gifs():
    colours = palette_of(256)
    indices = indices_of(200)
    screen = (WIDTH, HEIGHT)
    good("gif_87.gif", gif(screen, [{"indices": indices}], colours, b"87a"), colours[indices])
    good("gif_interlaced.gif", gif(screen, [{"indices": indices, "interlaced": True}], colours), colours[indices])
    clear = np.where((indices == 7)[..., None], 255, colours[indices]).astype(np.uint8)
    good("gif_transparent.gif", gif(screen, [{"indices": indices, "transparent": 7}], colours), clear)
    good("gif_own_palette.gif", gif(screen, [{"indices": indices, "colours": colours[::-1]}], colours), colours[::-1][indices])
    good("gif_animated.gif", gif(screen, [{"indices": indices}, {"indices": indices[::-1]}], colours), colours[indices])
    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    canvas[3:13, 5:25] = colours[indices_of(200, 20, 10)]
    good("gif_frame_on_screen.gif", gif(screen, [{"indices": indices_of(200, 20, 10), "left": 5, "top": 3}], colours), canvas)
    good("gif_frame_beyond_screen.gif", gif((3, 3), [{"indices": indices}], colours), colours[indices])
    good("gif_no_palette.gif", gif(screen, [{"indices": indices}]), np.repeat(indices[..., None], 3, axis=2))
    few = np.zeros((256, 3), np.uint8)
    few[:4] = colours[:4]
    good("gif_short_palette.gif", gif(screen, [{"indices": indices}], colours[:4]), few[indices])
    photo = saved(Image.fromarray(scene()).quantize(64), "gif")
    good("gif_pillow.gif", photo, pillow(photo))
    good("gif_1x1.gif", gif((1, 1), [{"indices": np.zeros((1, 1), np.uint8)}], colours), colours[:1][None])
    line = np.resize(indices, (1, 30000))
    good("gif_30000x1.gif", saved(with_palette(line, colours), "gif"), colours[line])
    bad("gif_200_megapixels.gif", gif((20000, 10000), [{"indices": indices}], colours)[:-200])
    bad("gif_16_megapixels.gif", b"GIF89a" + struct.pack("<HHBBB", 4000, 4000, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, 4000, 4000, 0) + b"\x08\x02\0\0\0;")
    bad("gif_no_frame.gif", gif(screen, [], colours))


# ---- BMP
def bmps():
    def entries(colours, size=4):
        return b"".join(bytes(colour[::-1]) + b"\0" * (size - 3) for colour in colours)

    bgr = scene()[..., ::-1]
    for bits in (1, 4, 8):
        indices, colours = indices_of(1 << bits), palette_of(1 << bits)
        good(f"bmp_{bits}.bmp", bmp(WIDTH, HEIGHT, bits, bmp_rows(packed(indices, bits)), palette=entries(colours)), colours[indices])
    indices, colours = indices_of(100), palette_of(100)
    good("bmp_8_short_palette.bmp", bmp(WIDTH, HEIGHT, 8, bmp_rows(packed(indices, 8)), palette=entries(colours), colours=100), colours[indices])
    runs = indices_of(9) // 3
    runs[4:9] = indices_of(100)[4:9]
    good("bmp_rle8.bmp", bmp(WIDTH, HEIGHT, 8, rle8(runs), 1, entries(colours), colours=100), colours[runs])
    nibbles, sixteen = indices_of(16), palette_of(16)
    good("bmp_rle4.bmp", bmp(WIDTH, HEIGHT, 4, rle4(nibbles), 2, entries(sixteen)), sixteen[nibbles])
    # Two pixels, then right by 3 and up by 1, two more, and the end: what is left out is colour 0.
    moved = np.zeros((3, 8), np.uint8)
    moved[2, 0:2], moved[1, 5:7] = 3, 4
    good("bmp_rle8_delta.bmp", bmp(8, 3, 8, bytes([2, 3, 0, 2, 3, 1, 2, 4, 0, 1]), 1, entries(colours), colours=100), colours[moved])
    good("bmp_os2.bmp", bmp(WIDTH, HEIGHT, 4, bmp_rows(packed(nibbles, 4)), palette=entries(sixteen, 3), header_bytes=12), sixteen[nibbles])
    rows = [row.tobytes() for row in bgr.reshape(HEIGHT, -1)]
    good("bmp_24.bmp", bmp(WIDTH, HEIGHT, 24, bmp_rows(rows)), scene())
    good("bmp_24_top_down.bmp", bmp(WIDTH, -HEIGHT, 24, bmp_rows(rows, top_down=True)), scene())
    with_alpha = np.dstack([bgr, alpha_ramp()])
    rows = [row.tobytes() for row in with_alpha.reshape(HEIGHT, -1)]
    good("bmp_32.bmp", bmp(WIDTH, HEIGHT, 32, bmp_rows(rows)), scene())
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    for size, version in ((56, 3), (108, 4), (124, 5)):
        good(f"bmp_32_alpha_v{version}.bmp", bmp(WIDTH, HEIGHT, 32, bmp_rows(rows), 3, masks=masks, header_bytes=size),
             over_white(scene(), alpha_ramp()))
    good("bmp_32_v4_no_masks.bmp", bmp(WIDTH, HEIGHT, 32, bmp_rows(rows), header_bytes=108), scene())
    good("bmp_32_masks.bmp", bmp(WIDTH, HEIGHT, 32, bmp_rows(rows), 3, masks=(0xFF00, 0xFF0000, 0xFF)), scene()[..., [1, 0, 2]])
    r, g, b = (scene()[..., i].astype(np.uint16) for i in range(3))
    for name, bits, compression, masks in (("bmp_16_555.bmp", (5, 5, 5), 0, ()), ("bmp_16_565.bmp", (5, 6, 5), 3, (0xF800, 0x7E0, 0x1F))):
        parts = [channel >> (8 - n) for channel, n in zip((r, g, b), bits)]
        values = parts[0] << (bits[1] + bits[2]) | parts[1] << bits[2] | parts[2]
        rounded_down = np.dstack([part * 255 // ((1 << n) - 1) for part, n in zip(parts, bits)]).astype(np.uint8)
        good(name, bmp(WIDTH, HEIGHT, 16, bmp_rows([row.astype("<u2").tobytes() for row in values]), compression, masks=masks), rounded_down)
    good("bmp_1x1.bmp", bmp(1, 1, 24, bmp_rows([bytes(bgr[0, 0])])), scene()[:1, :1])
    line = np.resize(indices_of(2), (1, 30000))
    good("bmp_30000x1.bmp", bmp(30000, 1, 1, bmp_rows(packed(line, 1)), palette=entries(colours[:2])), colours[line])
    bad("bmp_200_megapixels.bmp", bmp(20000, 10000, 24, b"1234"))
    bad("bmp_200_megapixels_rle.bmp", bmp(20000, 10000, 8, b"\0\1", 1, entries(colours), colours=100))
    bad("bmp_16_megapixels_rle.bmp", bmp(4000, 4000, 8, b"\2\2\0\0", 1, entries(colours), colours=100))
    bad("bmp_jpeg_inside.bmp", bmp(WIDTH, HEIGHT, 24, b"\xff\xd8\xff\xd9", 4), "unsupported")
    bad("bmp_negative_width.bmp", bmp(-5, 5, 24, bytes(200)))


# ---- TIFF
def tiffs():
    p = scene()
    rgb = {258: [8, 8, 8], 259: 1, 262: 2, 277: 3}

    def one(bits, photometric):
        return {258: bits, 259: 1, 262: photometric, 277: 1}

    for kind in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        good(f"tiff_rgb_{kind.removeprefix('tiff_')}.tif", saved(p, "tiff", compression=kind), p)
    black = Image.fromarray(grey() > 120)
    bits = np.where(grey() > 120, 255, 0).astype(np.uint8)
    for kind in ("raw", "group3", "group4"):
        good(f"tiff_1_{kind}.tif", saved(black, "tiff", compression=kind), bits)
    data = saved(p, "tiff", compression="jpeg", quality=90)
    good("tiff_jpeg.tif", data, pillow(data), 1)
    data = saved(grey(), "tiff", compression="jpeg", quality=90)
    good("tiff_jpeg_grey.tif", data, pillow(data, "L"), 1)
    good("tiff_grey_8.tif", saved(grey(), "tiff"), grey())
    good("tiff_grey_8_white_is_zero.tif", tiff(WIDTH, HEIGHT, one(8, 0), [(255 - grey()).tobytes()]), grey())
    for depth in (2, 4, 12):
        values = (grey().astype(np.uint16) << 4) >> (12 - depth)
        good(f"tiff_grey_{depth}.tif", tiff(WIDTH, HEIGHT, one(depth, 1), [b"".join(packed(values, depth))]), eight(values, (1 << depth) - 1))
    deep = wide(grey(), 6)
    good("tiff_grey_16.tif", tiff(WIDTH, HEIGHT, one(16, 1), [deep.astype("<u2").tobytes()]), eight(deep))
    deep = wide(p, 7)
    good("tiff_rgb_16_big_endian.tif", tiff(WIDTH, HEIGHT, {**rgb, 258: [16] * 3}, [deep.astype(">u2").tobytes()], ">"), eight(deep))
    good("tiff_rgb_planes.tif", tiff(WIDTH, HEIGHT, {**rgb, 284: 2}, [p[..., c].tobytes() for c in range(3)]), p)
    good("tiff_strips.tif", tiff(WIDTH, HEIGHT, {**rgb, 278: 10}, [p[y:y + 10].tobytes() for y in range(0, HEIGHT, 10)]), p)
    sides = {322: 16, 323: 16}
    good("tiff_tiles.tif", tiff(WIDTH, HEIGHT, {**rgb, **sides}, tiles(p, 16), tiled=True), p)
    good("tiff_tiles_deflate.tif", tiff(WIDTH, HEIGHT, {**rgb, **sides, 259: 8}, [zlib.compress(tile) for tile in tiles(p, 16)], tiled=True), p)
    good("tiff_tiles_planes.tif", tiff(WIDTH, HEIGHT, {**rgb, **sides, 284: 2}, [tile for c in range(3) for tile in tiles(p[..., c], 16)], tiled=True), p)
    alpha = alpha_ramp()
    four = {**rgb, 258: [8] * 4, 277: 4}
    rgba = np.dstack([p, alpha])
    good("tiff_rgb_alpha.tif", tiff(WIDTH, HEIGHT, {**four, 338: 2}, [rgba.tobytes()]), over_white(p, alpha))
    good("tiff_rgb_extra.tif", tiff(WIDTH, HEIGHT, {**four, 338: 0}, [rgba.tobytes()]), p)
    product = ((p.astype(np.int64) * alpha[..., None] + 127) // 255).astype(np.uint8)
    good("tiff_rgb_alpha_multiplied.tif", tiff(WIDTH, HEIGHT, {**four, 338: 1}, [np.dstack([product, alpha]).tobytes()]),
         (product + (255 - alpha[..., None].astype(np.int64))).clip(0, 255).astype(np.uint8))
    good("tiff_grey_alpha.tif", tiff(WIDTH, HEIGHT, {258: [8, 8], 259: 1, 262: 1, 277: 2, 338: 2}, [np.dstack([grey(), alpha]).tobytes()]), over_white(grey(), alpha))
    colours, indices = palette_of(256), indices_of(200)
    good("tiff_palette_8.tif", saved(with_palette(indices, colours), "tiff"), colours[indices])
    wide_table = [int(value) * 257 for c in range(3) for value in np.resize(colours[:, c], 256)]
    good("tiff_palette_8_alpha.tif", tiff(WIDTH, HEIGHT, {258: [8, 8], 259: 1, 262: 3, 277: 2, 338: 2, 320: wide_table},
                                          [np.dstack([indices, alpha]).astype(np.uint8).tobytes()]), over_white(colours[indices], alpha))
    colours, indices = palette_of(16), indices_of(16)
    for name, scale in (("full", 257), ("shifted", 256), ("low", 1)):
        table = [int(v) * scale for v in colours.T.ravel()]
        good(f"tiff_palette_4_{name}.tif", tiff(WIDTH, HEIGHT, {**one(4, 3), 320: table}, [b"".join(packed(indices, 4))]), colours[indices])
    ink = cmyk_scene()
    good("tiff_cmyk.tif", saved(Image.fromarray(ink, "CMYK"), "tiff", compression="tiff_lzw"), from_cmyk(ink))
    deep = wide(ink, 8)
    good("tiff_cmyk_16.tif", tiff(WIDTH, HEIGHT, {258: [16] * 4, 259: 1, 262: 5, 277: 4}, [deep.astype("<u2").tobytes()]), from_cmyk(eight(deep)))
    ycc = np.array(Image.fromarray(scene(48, 32)).convert("YCbCr"))
    packed_units = b"".join(ycc[y:y + 2, x:x + 2, 0].tobytes() + ycc[y, x, 1:].tobytes() for y in range(0, 32, 2) for x in range(0, 48, 2))
    data = tiff(48, 32, {**rgb, 262: 6, 530: [2, 2]}, [packed_units])
    # libtiff gives the four pixels of a unit the same colour.
    ycc[..., 1:] = ycc[::2, ::2, 1:].repeat(2, axis=0).repeat(2, axis=1)
    good("tiff_ycbcr.tif", data, np.array(Image.fromarray(ycc, "YCbCr").convert("RGB")), 2)
    two = saved(p, "tiff", save_all=True, append_images=[Image.fromarray(grey())])
    good("tiff_two_pages.tif", two, p)
    good("tiff_big.tif", saved(p, "tiff", big_tiff=True), p)
    for orientation in range(1, 9):
        stored = turned(scene(24, 16), orientation)
        good(f"tiff_orientation_{orientation}.tif", tiff(stored.shape[1], stored.shape[0], {**rgb, 274: orientation}, [stored.tobytes()]), scene(24, 16))
    good("tiff_1x1.tif", tiff(1, 1, rgb, [p[:1, :1].tobytes()]), p[:1, :1])
    line = np.resize(grey(), (1, 30000))
    good("tiff_30000x1.tif", tiff(30000, 1, {**one(8, 1), 259: 8}, [zlib.compress(line.tobytes())]), line)
    bad("tiff_float.tif", saved(Image.fromarray(grey().astype(np.float32)), "tiff"), "unsupported")
    bad("tiff_signed.tif", tiff(WIDTH, HEIGHT, {**one(16, 1), 339: 2}, [wide(grey(), 9).tobytes()]), "unsupported")
    bad("tiff_32_bits.tif", tiff(WIDTH, HEIGHT, one(32, 1), [bytes(4 * WIDTH * HEIGHT)]), "unsupported")
    bad("tiff_lab.tif", tiff(WIDTH, HEIGHT, {**rgb, 262: 8}, [p.tobytes()]), "unsupported")
    bad("tiff_old_jpeg.tif", tiff(WIDTH, HEIGHT, {**rgb, 259: 6, 262: 6}, [p.tobytes()]), "unsupported")
    bad("tiff_unknown_compression.tif", tiff(WIDTH, HEIGHT, {**rgb, 259: 60001}, [p.tobytes()]), "unsupported")
    for name, compression in (("", 1), ("_deflate", 8), ("_jpeg", 7)):
        bad(f"tiff_200_megapixels{name}.tif", tiff(20000, 10000, {**rgb, 259: compression}, [b"1234"]))
    bad("tiff_huge_tiles.tif", tiff(WIDTH, HEIGHT, {**rgb, 322: 65520, 323: 65520}, [p.tobytes()], tiled=True), "unsupported")
    bad("tiff_4_megapixels.tif", tiff(2000, 2000, {**rgb, 259: 8, 278: 2000}, [zlib.compress(bytes(3000))]))


def with_palette(indices, colours):
    picture = Image.fromarray(indices, "P")
    picture.putpalette(colours.tobytes())
    return picture


# ---- HEIF and AVIF
def iso_files():
    lossless = {"quality": 100, "subsampling": "4:4:4"}
    avif = saved(scene(), "avif", **lossless)
    good("avif_444.avif", avif, pillow(avif), 2)
    data = saved(smooth(), "avif", quality=85)
    good("avif_420.avif", data, pillow(data), 6)
    data = saved(np.dstack([scene(), alpha_ramp()]), "avif", **lossless)
    good("avif_alpha.avif", data, pillow(data), 2)
    for orientation in (3, 6):
        data = saved(turned(scene(24, 16), orientation), "avif", exif=exif(orientation), **lossless)
        good(f"avif_orientation_{orientation}.avif", data, upright(pillow(data), orientation), 2)
    bad("avif_200_megapixels.avif", with_iso_size(avif, 20000, 10000))
    if not pillow_heif:
        for line in (FOLDER / "list.txt").read_text().splitlines():
            if line.startswith("heif_"):
                parts = line.split()
                data = (FOLDER / parts[0]).read_bytes()
                if parts[1] == "pixels":
                    good(parts[0], data, np.array(Image.open(FOLDER / parts[2])), int(parts[3]))
                else:
                    bad(parts[0], data, parts[1])
        return

    def heif(pixels, **options):
        out = io.BytesIO()
        pillow_heif.from_pillow(Image.fromarray(pixels)).save(out, format="HEIF", **options)
        return out.getvalue()

    def read(data):
        pixels = np.array(pillow_heif.open_heif(io.BytesIO(data)).to_pillow())
        return over_white(pixels[..., :3], pixels[..., 3]) if pixels.shape[2] == 4 else pixels

    plain = heif(scene(), quality=90, chroma=444)
    good("heif_444.heic", plain, read(plain), 3)
    data = heif(smooth(), quality=70)
    good("heif_420.heic", data, read(data), 6)
    data = heif(np.dstack([scene(), alpha_ramp()]), quality=90, chroma=444)
    good("heif_alpha.heic", data, read(data), 3)
    data = heif(turned(scene(64, 48), 6), quality=90, chroma=444, exif=exif(6))
    good("heif_orientation_6.heic", data, read(data), 3)
    bad("heif_200_megapixels.heic", with_iso_size(plain, 20000, 10000))


# ---- What is no picture
def impostors():
    bad("empty.jpg", b"")
    bad("text.png", b"Here was a picture once.\n")
    bad("zip.jpg", b"PK\x03\x04\x14\0\0\0\0\0" + bytes(60) + b"PK\x05\x06" + bytes(18))
    bad("pdf.tif", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    bad("zeros.bmp", bytes(200))
    bad("jpeg2000.jp2", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20), "unsupported")
    data = saved(scene(), "jpeg", quality=85)
    good("jpeg_named.png", data, pillow(data), 1)
    # What the fuzzers found stays: found_KIND_NAME.
    for path in sorted(FOLDER.glob("found_*")):
        bad(path.name, path.read_bytes(), path.name.split("_")[1])


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for part in (jpegs, pngs, webps, gifs, bmps, tiffs, iso_files, impostors):
        part()
    (FOLDER / "list.txt").write_text("\n".join(lines) + "\n")
    for path in FOLDER.iterdir():
        if path.name not in written and path.name != "list.txt":
            path.unlink()
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{len(lines)} files, {len(expected_names)} pictures expected of them, {size} bytes")


if __name__ == "__main__":
    main()
