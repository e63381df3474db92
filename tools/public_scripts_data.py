"""Synthetic data in the form of the downloads that public programs want.

python tools/public_scripts_data.py FOLDER HOME [KIND:OPTION,...]...
"""

import gzip
import io
import json
import os
import pickle
import random
import shutil
import sys
import tarfile
import wave

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def picture(text, width, height):
    """A line of text on a bright, noisy ground."""
    noise = np.random.randint(200, 256, (height, width, 3)).astype(np.uint8)
    image = Image.fromarray(noise)
    font = ImageFont.load_default(size=max(10, min(height * 2 // 3, width // (len(text) or 1))))
    ImageDraw.Draw(image).text((3, height // 8), text, fill=(10, 10, 60), font=font)
    return image


def words(folder, home, where, count, width, height, letters, length, name="%(text)s.png"):
    """Pictures named by their text, each text once."""
    path = os.path.join(folder, where)
    if os.path.islink(os.path.dirname(path)):  # to a folder of the author's machine
        os.unlink(os.path.dirname(path))
    os.makedirs(path, exist_ok=True)
    done = set()
    while len(done) < int(count):
        text = "".join(random.choice(letters) for _ in range(int(length)))
        if text not in done:
            done.add(text)
            file = os.path.join(path, name % {"text": text, "n": len(done)})
            picture(text, int(width), int(height)).save(file)


def folders(folder, home, *names):
    """Empty folders."""
    for name in names:
        os.makedirs(os.path.join(folder, name), exist_ok=True)


def lines(folder, home, where, count, *lists):
    """280 x 32 pictures, and lists of the numbers of their characters (1, 2, ...)."""
    os.makedirs(os.path.join(folder, where), exist_ok=True)
    for name in lists:
        with open(os.path.join(folder, name), "w") as stream:
            for number in range(int(count)):
                codes = [random.randint(1, 40) for _ in range(10)]
                file = "%s_%d.jpg" % (name.split(".")[0][-5:], number)
                picture("".join(chr(64 + code) for code in codes), 280, 32).convert("L").save(
                    os.path.join(folder, where, file)
                )
                stream.write(" ".join([file] + list(map(str, codes))) + "\n")


def tones(path, text, rate=16000):
    """A wave file: one tone for each letter."""
    moments = np.arange(rate // 8) / rate
    parts = [np.sin(2 * np.pi * moments * (200 + 60 * (ord(letter) % 32))) for letter in text]
    sound = np.concatenate(parts) + np.random.randn(len(text) * len(moments)) * 0.02
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with wave.open(path, "wb") as stream:
        stream.setparams((1, 2, rate, 0, "NONE", ""))
        stream.writeframes((sound * 9000).astype("<i2").tobytes())
    return len(sound) / rate


def speech(folder, home, count, *lists):
    """Wave files, and lists of {key, duration, text} as ba-dls-deepspeech reads them."""
    for name in lists:
        with open(os.path.join(folder, name), "w") as stream:
            for number in range(int(count)):
                text = "".join(random.choice("abcdefgh ") for _ in range(random.randint(8, 12)))
                path = os.path.join(folder, "waves", "%s_%d.wav" % (name.split(".")[0], number))
                entry = {"key": path, "duration": tones(path, text), "text": text.strip() or "a"}
                stream.write(json.dumps(entry) + "\n")


def listed(folder, home, file, where, count):
    """Wave files for the first lines (path, tab, text, ...) of a list in the repository."""
    with open(os.path.join(folder, file), encoding="utf8") as stream:
        for line in stream.readlines()[: int(count)]:
            path, text = line.split("\t")[:2]
            tones(os.path.join(folder, where, path), text[:60])


def grid(folder, home, where, count):
    """GRID as LipNet reads it: folders of 75 pictures of a mouth, and when each word is spoken."""
    os.makedirs(os.path.join(folder, where, "align"))
    for number in range(int(count)):
        path = os.path.join(folder, where, "video", "s1", "video%d" % number)
        os.makedirs(path)
        for frame in range(75):
            picture("", 100, 50).save(os.path.join(path, "mouth_%03d.png" % frame))
        spoken = ["sil"] + random.sample(["bin", "blue", "at", "f", "two", "now"], 5) + ["sil"]
        with open(os.path.join(folder, where, "align", "video%d.align" % number), "w") as stream:
            for at, word in enumerate(spoken):
                stream.write("%d %d %s\n" % (at * 10000, (at + 1) * 10000, word))


def settings(folder, home, name, value):
    """What Keras' settings file has on the author's machine."""
    os.makedirs(os.path.join(home, ".keras"), exist_ok=True)
    with open(os.path.join(home, ".keras", "keras.json"), "w") as stream:
        json.dump({name: value}, stream)


def copy(folder, home, source, target):
    """A file of the repository where the author's machine had it."""
    shutil.copy(os.path.join(folder, source), os.path.join(folder, target))


def module(folder, home, name, *names):
    """A module that is imported and not used, or only to show progress: its methods give 0."""
    with open(os.path.join(folder, name + ".py"), "w") as stream:
        stream.write("class Unused(object):\n    def __init__(self, *args): pass\n")
        stream.write("    def __getattr__(self, name): return lambda *args, **kwargs: 0.0\n")
        stream.write("".join("%s = Unused\n" % one for one in names))


def weights(folder, home, *files):
    """Files of weights that name no layer, for programs that go on from the author's."""
    import h5py

    for file in files:
        with h5py.File(os.path.join(folder, file), "w") as stream:
            stream.attrs["layer_names"] = np.zeros(0, "S1")


def empty(folder, home, *files):
    """Lists that are too large for a snapshot."""
    for file in files:
        open(os.path.join(folder, file), "a").close()


def sentence(folder, home, where, text):
    """One wave file that a list in the repository names."""
    tones(os.path.join(folder, where), text)


def _word():
    return "".join(random.choice("abcdefgh") for _ in range(random.randint(3, 8)))


def byte(*shape):
    return np.random.randint(0, 256, shape).astype(np.uint8)


def label(classes, count):
    return np.random.randint(0, classes, count)


def keras(folder, home, script):
    """What that example of Keras downloads, with random content."""
    path = os.path.join(home, ".keras", "datasets")
    os.makedirs(path, exist_ok=True)
    kind = next((kind for kind in EXAMPLES if kind in script), "texts")
    EXAMPLES.get(kind, _texts)(folder, path)


def _mnist(folder, path):
    digits = {"x_train": byte(60000, 28, 28), "y_train": label(10, 60000).astype(np.uint8)}
    np.savez(
        os.path.join(path, "mnist.npz"),
        x_test=byte(10000, 28, 28),
        y_test=label(10, 10000).astype(np.uint8),
        **digits,
    )
    with gzip.open(os.path.join(path, "mnist.pkl.gz"), "wb", 1) as stream:
        halves = [(byte(n, 28, 28), label(10, n).astype(np.uint8)) for n in (60000, 10000)]
        pickle.dump(tuple(halves), stream, 2)


def _cifar(folder, path):
    folder = os.path.join(path, "cifar-10-batches-py")
    os.makedirs(folder)
    for name in ["data_batch_%d" % n for n in range(1, 6)] + ["test_batch"]:
        with open(os.path.join(folder, name), "wb") as stream:
            rows = 500 if name == "test_batch" else 10000
            batch = {b"data": byte(rows, 3072), b"labels": label(10, rows).tolist()}
            pickle.dump(batch, stream, 2)


def _babi(folder, path):
    names, places = ["Mary", "John", "Daniel"], ["garden", "office", "kitchen"]
    with tarfile.open(os.path.join(path, "babi-tasks-v1-2.tar.gz"), "w:gz") as tar:
        for part in "train", "test":
            lines = []
            for number in range(400):
                who, where = random.choice(names), random.choice(places)
                lines.append("%d %s went to the %s." % (3 * number % 15 + 1, who, where))
                who, where = random.choice(names), random.choice(places)
                lines.append("%d %s went to the %s." % (3 * number % 15 + 2, who, where))
                question = (3 * number % 15 + 3, who, where, 3 * number % 15 + 2)
                lines.append("%d Where is %s? \t%s\t%d" % question)
            text = "".join(line + "\n" for line in lines).encode()
            for task in (
                "tasks_1-20_v1-2/en-10k/qa1_single-supporting-fact_%s.txt",
                "tasks_1-20_v1-2/en-10k/qa2_two-supporting-facts_%s.txt",
                "tasks_1-20_v1-2/en/qa1_single-supporting-fact_%s.txt",
                "tasks_1-20_v1-2/en/qa2_two-supporting-facts_%s.txt",
            ):
                entry = tarfile.TarInfo(task % part)
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text))


def _seq2seq(folder, path):
    os.makedirs(os.path.join(folder, "fra-eng"))
    with open(os.path.join(folder, "fra-eng", "fra.txt"), "w") as stream:
        for _ in range(400):
            pair = [" ".join(_word() for _ in range(random.randint(1, 3))) for _ in range(2)]
            stream.write("\t".join(pair) + "\n")


def _embeddings(folder, path):
    os.makedirs(os.path.join(folder, "glove.6B"))
    with open(os.path.join(folder, "glove.6B", "glove.6B.100d.txt"), "w") as stream:
        for _ in range(500):
            numbers = np.random.randn(100).round(3).tolist()
            stream.write(" ".join(map(str, [_word()] + numbers)) + "\n")
    for number in range(3):
        group = os.path.join(folder, "20_newsgroup", "group%d" % number)
        os.makedirs(group)
        for file in range(30):
            with open(os.path.join(group, str(file)), "w") as stream:
                stream.write("a: b\n\n" + " ".join(_word() for _ in range(80)))


def _words(folder, path):
    open(os.path.join(path, "wordlists.tgz"), "w").close()  # unpacked
    for name in "wordlist_mono_clean.txt", "wordlist_bi_clean.txt":
        with open(os.path.join(path, name), "w") as stream:
            for _ in range(40000):
                words = [_word()[:4] for _ in range(1 + ("_bi_" in name))]
                stream.write(" ".join(words) + "\n")


def _texts(folder, path):
    texts = np.empty(900, dtype=object)
    for number in range(900):
        texts[number] = np.random.randint(1, 5000, random.randint(20, 60)).tolist()
    for name, classes in (("imdb", 2), ("reuters", 46)):
        halves = {"x_train": texts[:600], "x_test": texts[600:]}
        answers = {"y_train": label(classes, 600), "y_test": label(classes, 300)}
        np.savez(
            os.path.join(path, name + ".npz"),
            x=texts,
            y=label(classes, 900),
            **dict(halves, **answers),
        )
        with open(os.path.join(path, name + "_word_index.json"), "w") as stream:
            json.dump({"w%d" % n: n for n in range(1, 5000)}, stream)
    with open(os.path.join(path, "imdb_full.pkl"), "wb") as stream:
        parts = [list(texts[:600]), list(texts[600:])]
        pickle.dump(tuple((part, label(2, len(part)).tolist()) for part in parts), stream, 2)
    with open(os.path.join(path, "reuters.pkl"), "wb") as stream:
        pickle.dump((list(texts), label(46, 900).tolist()), stream, 2)
    with open(os.path.join(path, "nietzsche.txt"), "w") as stream:
        stream.write(" ".join(_word() for _ in range(2500)))


EXAMPLES = {
    "mnist": _mnist,
    "variational": _mnist,
    "antirectifier": _mnist,
    "cifar": _cifar,
    "babi": _babi,
    "seq2seq": _seq2seq,
    "embeddings": _embeddings,
    "image_ocr": _words,
}


def main():
    np.random.seed(0)
    random.seed(0)
    folder, home = sys.argv[1:3]
    for item in sys.argv[3:]:
        kind, _, options = item.partition(":")
        globals()[kind](folder, home, *filter(None, options.split(",")))


if __name__ == "__main__":
    main()
