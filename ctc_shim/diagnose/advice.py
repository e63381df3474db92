"""The kinds of findings, and what to do about each. All are errors except those of WARNINGS.

An error makes a loss infinite, NaN, wrong or refused. What a warning tells may be intended.
"""

ADVICE = {
    "shape": (
        "The arguments are (N, T, C) scores, (N, S) labels, and two lengths for each of the N rows."
    ),
    "not-whole": (
        "Labels and lengths must be integers. Keras passes them as floats, which is fine; "
        "fractions and NaN are not."
    ),
    "input-length": (
        "input_lengths counts the frames that reach the loss, after all strides, pooling and "
        "cropping in the network. It cannot exceed T."
    ),
    "target-length": (
        "target_lengths counts the labels of a row without padding. It cannot exceed the width of "
        "targets."
    ),
    "label-range": (
        "Labels are 0 .. C - 1, and the blank needs a class of its own: the output layer has one "
        "unit more than there are labels."
    ),
    "label-is-blank": (
        "The blank stands for 'no label', so it cannot be a label. Either target_lengths counts "
        "padding, or the output layer is one unit too small (L labels and the blank are L + 1 "
        "classes), or blank= is not the class that the network was trained with (Keras and "
        "TensorFlow use the last class, blank=-1; PyTorch uses 0)."
    ),
    "infeasible": (
        "Why is my loss inf? Why 'No valid path found'? The target does not fit: every label takes "
        "one frame, and two equal labels in a row take one more for the blank between them. Use "
        "longer input, a smaller stride, less pooling in time or shorter targets, or drop these "
        "rows. With infeasible='zero' they are ignored in training."
    ),
    "impossible": (
        "Why is my loss inf? The target fits, but every path that spells it needs a class with "
        "probability 0 (a score of -inf, often from a mask)."
    ),
    "not-finite": (
        "The scores already hold NaN or +inf, so the loss is NaN. The cause is before the loss: "
        "usually a learning rate that is too high, a training step on an infinite loss, log(0), or "
        "NaN in the input."
    ),
    "stride": (
        "The input lengths are in other units than the scores: they were counted before the "
        "network's strides or pooling in time. Divide them, and round as the network does."
    ),
    "offset": (
        "All lengths exceed T by the same number of frames, so the network crops that many (an "
        "unpadded convolution, or a slice: Keras' image_ocr.py drops two frames). Subtract them."
    ),
    "short-lengths": (
        "No row uses more than a fraction of the frames. The lengths may have been divided by the "
        "stride twice. Frames after a row's length are never read."
    ),
    "swapped": "Every target would fit if input_lengths and target_lengths were exchanged.",
    "no-frames": (
        "A row without frames has loss 0 if it has no labels, and infinite loss otherwise."
    ),
    "no-labels": "A row without labels is valid. It trains the network to output only blanks.",
    "only-blank": (
        "Why does the network output only blanks? Every CTC network does so at first, because "
        "nearly every path contains the blank; the loss still falls. If it does not end, look for "
        "lengths in the wrong units, labels that do not belong to their input, a decoder with "
        "another blank= than the loss, a learning rate that is much too high or too low, or too "
        "few frames per label."
    ),
    "not-probabilities": (
        "K.ctc_batch_cost takes the output of a softmax: values in 0 .. 1 that sum to 1 in each "
        "frame."
    ),
    "not-log-probabilities": (
        "Why is my loss negative? normalize=False takes log probabilities, whose exponentials sum "
        "to at most 1 in each frame. Pass log_softmax(scores), or leave normalize=True. If "
        "unnormalised scores are meant, the loss may be negative."
    ),
    "other-blank": (
        "Is blank= the class that the network was trained with? Keras and TensorFlow use the last "
        "class (blank=-1), PyTorch and most others class 0. After some training the blank is the "
        "likeliest class in most frames."
    ),
    "looks-normalised": (
        "These scores are probabilities already, and normalize=True applies another softmax: the "
        "loss can then hardly fall. Remove the network's softmax, or pass log(p) with "
        "normalize=False."
    ),
}

WARNINGS = (
    "short-lengths",
    "no-frames",
    "no-labels",
    "only-blank",
    "other-blank",
    "looks-normalised",
)
