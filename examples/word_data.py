"""Painted words, as Keras' image_ocr.py paints them: Cairo's fonts, a random place and slant, speckles. numpy only.

The words are painted once (`python examples/word_data.py`, which needs cairocffi and its library, libcairo) and kept in
data/image_ocr_words.npz, so that every backend reads the same pixels and none of them needs Cairo. Speckles and shifts are drawn anew
for each training step.
"""

import os
import re

import numpy as np

from digit_data import Lines, take  # noqa: F401, take is one of this module's functions too

HERE = os.path.dirname(os.path.abspath(__file__))
PAINTED = os.path.join(HERE, "data", "image_ocr_words.npz")
WIDTH, HEIGHT = 64, 32  # half of Keras' example's in both directions
POOLED, DROPPED = (
    4,
    2,
)  # columns of the image in a frame; first frames that the network's output is cut by
FRAMES = WIDTH // POOLED - DROPPED
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
BLANK, CLASSES = len(ALPHABET), len(ALPHABET) + 1
BLANK_ROWS = (
    3  # of a batch, as in Keras' example: pictures of nothing, whose only label is the blank
)
EASY_EPOCHS, EASY = 2, 4  # the curriculum: at first words of so many letters at most
FONTS = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono")


def make_lines(count, shortest, longest, seed, is_test=False):
    """The first `count` painted words of so many letters, of the words for training or of the others.

    Returns
    -------
    Lines
        frames (N, WIDTH, HEIGHT, 1): the picture, column by column; the rest as of digits.
    """
    with np.load(PAINTED) as file:
        images, texts, held_out = (
            file["images"],
            [str(text) for text in file["texts"]],
            file["held_out"],
        )
    chosen = [
        n
        for n, text in enumerate(texts)
        if held_out[n] == is_test and shortest <= len(text) <= longest
    ][:count]
    if len(chosen) < count:
        raise ValueError("%s has %d such words, %d were wanted" % (PAINTED, len(chosen), count))
    texts = [texts[n] for n in chosen]
    labels = np.full((count, longest), BLANK, dtype="float32")
    for n, text in enumerate(texts):
        labels[n, : len(text)] = [ALPHABET.index(letter) for letter in text]
    frames = images[chosen].transpose(0, 2, 1)[..., np.newaxis].astype("float32") / 255
    lines = Lines(
        frames,
        np.full((count, 1), FRAMES, dtype="int64"),
        labels,
        np.array([[len(t)] for t in texts], dtype="int64"),
        texts,
    )
    return (
        lines._replace(frames=_speckled(frames, np.random.RandomState(seed))) if is_test else lines
    )


def order(lines, epoch, random):
    """Rows of one epoch, drawn with repetition: short words first."""
    allowed = [n for n, text in enumerate(lines.texts) if epoch >= EASY_EPOCHS or len(text) <= EASY]
    return np.array(allowed)[random.randint(len(allowed), size=len(lines.texts))]


def with_noise(lines, seed):
    """A batch for training: shifted and speckled, its last rows blank."""
    random = np.random.RandomState(seed)
    frames, labels, counts = lines.frames.copy(), lines.labels.copy(), lines.label_length.copy()
    for image in frames:
        image[...] = np.roll(image, (random.randint(-2, 3), random.randint(-2, 3)), axis=(0, 1))
    frames[-BLANK_ROWS:], labels[-BLANK_ROWS:], counts[-BLANK_ROWS:] = 0, BLANK, 1
    return lines._replace(frames=_speckled(frames, random), labels=labels, label_length=counts)


def _speckled(frames, random):
    """Coarse and fine noise."""
    coarse = (
        random.uniform(-0.15, 0.3, size=(len(frames), WIDTH // 2, HEIGHT // 2, 1))
        .repeat(2, axis=1)
        .repeat(2, axis=2)
    )
    return (frames + coarse * random.uniform(size=frames.shape)).astype("float32")


def words():
    """Words of 3 to 5 letters of the standard library's help texts."""
    from pydoc_data.topics import topics

    found = set(re.findall(r"\b[a-z]{3,5}\b", " ".join(topics[name] for name in sorted(topics))))
    return sorted(found)


def paint(text, random):
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
    return (
        np.frombuffer(surface.get_data(), "uint8")
        .reshape(HEIGHT, surface.get_stride())[:, :WIDTH]
        .copy()
    )


def paint_all(path, times=2, test_words=128):
    """Paints every word some times; a word of the held-out ones once."""
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
