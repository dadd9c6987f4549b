"""Numbers that are a function of a name, the same here and in the tests (enxerto/core/random.h)."""
import numpy as np

GOLDEN_RATIO = np.uint64(0x9E3779B97F4A7C15)


def mix64(x):
    """SplitMix64's finaliser."""
    with np.errstate(over="ignore"):
        x = x + GOLDEN_RATIO
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def hashed(name, count):
    """Rng(FNV-1a of name).at(0 .. count - 1)."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        key = mix64(np.array([seed], dtype=np.uint64))[0]
        return mix64(key + np.arange(count, dtype=np.uint64) * GOLDEN_RATIO)


def uniform(name, count):
    """Float32 in [-1, 1), the same bits on every machine."""
    return (hashed(name, count) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)


def sketch(values, sums=8):
    """[2-norm, sums with hash-made signs]: the mean square of two sketches' differing sums estimates the squared
    2-norm of the difference of what they were made from. Sign k of number i is bit k of a hash."""
    values = np.asarray(values, np.float64).ravel()
    bits = hashed("signs", len(values))
    signs = [1.0 - 2.0 * ((bits >> np.uint64(k)) & np.uint64(1)).astype(np.float64) for k in range(sums)]
    return [float(f"{x:.8g}") for x in [np.linalg.norm(values), *(float(values @ sign) for sign in signs)]]
