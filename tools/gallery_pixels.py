"""Pixels for tools/make_gallery.py, and the rules by which modes become grey or RGB (docs/formats/pictures.md)."""
import numpy as np

WIDTH, HEIGHT = 44, 29  # no multiples of 8 or 16, so that codecs have to fill up blocks


def smooth(width=WIDTH, height=HEIGHT):
    """Where programs differ in how they enlarge the planes of colours, they differ little here."""
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([40 + 160 * x / width, 200 - 150 * y / height, 60 + 90 * (x + y) / (width + height)], axis=2)
    return picture.round().astype(np.uint8)


def scene(width=WIDTH, height=HEIGHT):
    """Smooth colours, a bright square on the upper left, a dark bar on the right: no side is like another."""
    picture = smooth(width, height).astype(np.float64)
    picture[height // 8:height // 3, width // 8:width // 3] = (250, 240, 30)
    picture[:, width - width // 8:] *= 0.4
    return picture.round().astype(np.uint8)


def grey(width=WIDTH, height=HEIGHT):
    return scene(width, height)[:, :, 0]


def wide(values, seed):
    """16 bits whose upper eight are nearly `values`: none is a multiple of 257 but by chance."""
    noise = np.random.default_rng(seed).integers(-100, 100, values.shape)
    return np.clip(values.astype(np.int64) * 257 + noise, 0, 65535).astype(np.uint16)


def eight(values, largest=65535):
    return np.floor(values.astype(np.float64) * 255 / largest + 0.5).astype(np.uint8)


def alpha_ramp(width=WIDTH, height=HEIGHT):
    y, x = np.mgrid[0:height, 0:width]
    return ((255 * x // (width - 1) + 17 * y) % 256).astype(np.uint8)


def over_white(colours, alpha):
    a = alpha.astype(np.int64)[..., None] if colours.ndim == 3 else alpha.astype(np.int64)
    return ((colours * a + 255 * (255 - a) + 127) // 255).astype(np.uint8)


def from_cmyk(ink):
    light = 255 - ink.astype(np.int64)
    return ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)


def palette_of(count):
    i = np.arange(count)
    return np.stack([i * 37 % 256, i * 91 % 256, 255 - i * 53 % 256], axis=1).astype(np.uint8)


def indices_of(count, width=WIDTH, height=HEIGHT):
    y, x = np.mgrid[0:height, 0:width]
    return ((x // 3 + y // 2 * 5) % count).astype(np.uint8)


def turned(picture, orientation):
    """The upright picture as it has to be stored to be turned by `orientation`."""
    undo = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
            5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, 1), 7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
            8: lambda a: np.rot90(a, -1)}
    return np.ascontiguousarray(undo[orientation](picture))


def cmyk_scene():
    rgb = scene().astype(np.float64)
    black = (255 - rgb.max(axis=2)) * 0.8
    ink = np.stack([*(255 - black[..., None] - rgb).clip(0, 255).transpose(2, 0, 1), black], axis=2)
    return ink.round().astype(np.uint8)


def upright(raw, orientation):
    """Undoes turned(): 6 and 8 are each other's opposites, the others their own."""
    return turned(raw, {6: 8, 8: 6}.get(orientation, orientation))
