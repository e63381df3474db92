"""Painted words as in Keras' image_ocr.py: random font, place, slant and speckles. Needs numpy.

The words are painted once (`python examples/word_data.py`, which needs cairocffi and libcairo) and
stored in data/image_ocr_words.npz, so that all backends read the same pixels and none needs Cairo.
Speckles and shifts are new in each training step.
"""

import os
import re
from typing import Any, List

import numpy as np

from digit_data import Lines, take  # noqa: F401, take is one of this module's functions too

HERE = os.path.dirname(os.path.abspath(__file__))
PAINTED = os.path.join(HERE, "data", "image_ocr_words.npz")
WIDTH, HEIGHT = 64, 32  # in Keras' example 128, 64
POOLED, DROPPED = 4, 2  # columns of the picture per frame; first frames that the network drops
FRAMES = WIDTH // POOLED - DROPPED
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
BLANK, CLASSES = len(ALPHABET), len(ALPHABET) + 1
BLANK_ROWS = 3  # of a batch, as in Keras' example: empty pictures, whose only label is the blank
EASY_EPOCHS, EASY = 2, 4  # in the first epochs, words have at most so many letters
FONTS = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono")


def speckled(frames: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """White ink on black paper with coarse and fine noise."""
    coarse = random.uniform(-0.15, 0.3, size=(len(frames), WIDTH // 2, HEIGHT // 2, 1))
    coarse = coarse.repeat(2, axis=1).repeat(2, axis=2)
    return (frames + coarse * random.uniform(size=frames.shape)).astype("float32")


def speckled_paper(frames: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """As Keras' example: black ink on white paper, and blurred noise that is cut at both."""
    noise = random.standard_normal(frames.shape[:3]) * random.uniform(0, 0.6, (len(frames), 1, 1))
    noise = _blur(WIDTH) @ noise @ _blur(HEIGHT)
    return np.clip(1 - frames + noise[..., np.newaxis], 0, 1).astype("float32")


def _blur(size: int) -> np.ndarray:
    """(size, size), a Gaussian of one pixel's width around each pixel."""
    distances = np.arange(-4, 5)
    weights = np.exp(-0.5 * distances**2) / np.exp(-0.5 * distances**2).sum()
    return sum(w * np.roll(np.eye(size), d, axis=0) for w, d in zip(weights, distances))


def make_lines(
    count: int,
    shortest: int,
    longest: int,
    seed: int,
    is_test: bool = False,
    speckle: Any = speckled,
) -> Lines:
    """The first `count` training or test words of `shortest` to `longest` letters.

    Returns
    -------
    Lines
        As in digit_data.py, with pictures (N, WIDTH, HEIGHT, 1), column by column, as frames.
    """
    with np.load(PAINTED) as file:
        images, held_out = file["images"], file["held_out"]
        texts = [str(text) for text in file["texts"]]
    chosen = [
        n
        for n, text in enumerate(texts)
        if held_out[n] == is_test and shortest <= len(text) <= longest
    ][:count]
    if len(chosen) < count:
        raise ValueError("%s has %d such words, not %d" % (PAINTED, len(chosen), count))
    texts = [texts[n] for n in chosen]
    labels = np.full((count, longest), BLANK, dtype="float32")
    for n, text in enumerate(texts):
        labels[n, : len(text)] = [ALPHABET.index(letter) for letter in text]
    frames = images[chosen].transpose(0, 2, 1)[..., np.newaxis].astype("float32") / 255
    if is_test:
        frames = speckle(frames, np.random.RandomState(seed))
    lengths = np.array([[len(text)] for text in texts], dtype="int64")
    return Lines(frames, np.full_like(lengths, FRAMES), labels, lengths, texts)


def order(lines: Lines, epoch: int, random: np.random.RandomState) -> np.ndarray:
    """Rows of one epoch, drawn with replacement; only short words in the first epochs."""
    allowed = [n for n, text in enumerate(lines.texts) if epoch >= EASY_EPOCHS or len(text) <= EASY]
    return np.array(allowed)[random.randint(len(allowed), size=len(lines.texts))]


def with_noise(lines: Lines, seed: int, speckle: Any = speckled) -> Lines:
    """A batch for training: shifted and speckled, with empty pictures as its last rows."""
    random = np.random.RandomState(seed)
    frames, labels, counts = lines.frames.copy(), lines.labels.copy(), lines.label_length.copy()
    for image in frames:
        image[...] = np.roll(image, (random.randint(-2, 3), random.randint(-2, 3)), axis=(0, 1))
    frames[-BLANK_ROWS:], labels[-BLANK_ROWS:], counts[-BLANK_ROWS:] = 0, BLANK, 1
    return lines._replace(frames=speckle(frames, random), labels=labels, label_length=counts)


def words() -> List[str]:
    """Words of 3 to 5 letters in the standard library's help texts."""
    from pydoc_data.topics import topics

    found = set(re.findall(r"\b[a-z]{3,5}\b", " ".join(topics[name] for name in sorted(topics))))
    return sorted(found)


def paint(text: str, random: np.random.RandomState) -> np.ndarray:
    """(HEIGHT, WIDTH) uint8, ink is 255."""
    import cairocffi as cairo

    surface = cairo.ImageSurface(cairo.FORMAT_A8, WIDTH, HEIGHT)
    context = cairo.Context(surface)
    context.select_font_face(
        FONTS[random.randint(len(FONTS))],
        cairo.FONT_SLANT_NORMAL,
        [cairo.FONT_WEIGHT_NORMAL, cairo.FONT_WEIGHT_BOLD][random.randint(2)],
    )
    context.set_font_size(14 + random.randint(4))
    _, _, width, height, _, _ = context.text_extents(text)
    size = 1.0 if width <= WIDTH - 8 else (WIDTH - 8) / width
    context.translate(
        4 + random.uniform() * (WIDTH - 8 - width * size),
        HEIGHT / 2 + height / 2 + random.uniform(-4, 4),
    )
    context.rotate(random.uniform(-0.06, 0.06))
    context.scale(size, size)
    context.show_text(text)
    surface.flush()
    pixels = np.frombuffer(surface.get_data(), "uint8").reshape(HEIGHT, surface.get_stride())
    return pixels[:, :WIDTH].copy()


def paint_all(path: str, times: int = 2, test_words: int = 128) -> int:
    """Paint each test word once and each training word `times` times; the number of pictures."""
    random = np.random.RandomState(0)
    chosen = words()
    random.shuffle(chosen)
    todo = [(word, True) for word in chosen[:test_words]] + [
        (word, False) for _ in range(times) for word in chosen[test_words:]
    ]
    np.savez_compressed(
        path,
        images=np.array([paint(word, random) for word, _ in todo]),
        texts=np.array([word for word, _ in todo]),
        held_out=np.array([held_out for _, held_out in todo]),
    )
    return len(todo)


if __name__ == "__main__":
    print("%d words painted into %s" % (paint_all(PAINTED), PAINTED))
