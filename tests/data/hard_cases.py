"""Named edge cases, and the inputs of Keras' own tests. Needs only numpy.

The numbers of keras_pair and keras_decode_* are from tests/keras/backend/backend_test.py in
Keras 2.3.1 (MIT licence), which took them from TensorFlow's tests.
"""

import numpy as np

from .make_inputs import case

INF, NAN = float("inf"), float("nan")

KERAS_PAIR = (
    (
        (0.633766, 0.221185, 0.0917319, 0.0129757, 0.0142857, 0.0260553),
        (0.111121, 0.588392, 0.278779, 0.0055756, 0.00569609, 0.010436),
        (0.0357786, 0.633813, 0.321418, 0.00249248, 0.00272882, 0.0037688),
        (0.0663296, 0.643849, 0.280111, 0.00283995, 0.0035545, 0.00331533),
        (0.458235, 0.396634, 0.123377, 0.00648837, 0.00903441, 0.00623107),
    ),
    (
        (0.30176, 0.28562, 0.0831517, 0.0862751, 0.0816851, 0.161508),
        (0.24082, 0.397533, 0.0557226, 0.0546814, 0.0557528, 0.19549),
        (0.230246, 0.450868, 0.0389607, 0.038309, 0.0391602, 0.202456),
        (0.280884, 0.429522, 0.0326593, 0.0339046, 0.0326856, 0.190345),
        (0.423286, 0.315517, 0.0338439, 0.0393744, 0.0339315, 0.154046),
    ),
)
KERAS_PAIR_LOSS = (3.34211, 5.42262)

# Five frames of four classes, blank = 3; eighths and sixteenths are exact in float32.
PLAIN = np.array([[8, 4, 2, 2], [2, 8, 2, 4], [1, 1, 6, 8], [4, 4, 4, 4], [2, 2, 1, 11]]) / 16.0


def keras_cases():
    pair = case("keras_pair", KERAS_PAIR, [[0, 1, 2, 1, 0], [0, 1, 1, 0, -1]], [5, 5], [5, 4])
    return [pair, case("keras_single", pair.scores[:1], pair.labels[:1], [5], [5])]


def plain(name, labels, frames=5, length=None, scores=None):
    """A batch of two: the row under test and a valid row, which must not be affected by it."""
    y = PLAIN if scores is None else scores
    width = max(len(labels), 2)
    rows = [list(labels) + [0] * (width - len(labels)), [1, 2] + [0] * (width - 2)]
    return case(name, [y, PLAIN], rows, [frames, 5], [len(labels) if length is None else length, 2])


def shape_cases():
    """Lengths and labels that do not fit. The scores are ordinary."""
    return [
        plain("feasible_repeats", [0, 0, 1, 1], frames=5, length=3),
        plain("feasible_repeats_tight", [0, 0, 1], frames=4),
        plain("infeasible_short", [0, 1, 2], frames=2),
        plain("infeasible_repeats", [1, 1], frames=2),
        plain("empty_target", [], frames=3),
        plain("no_frames_empty_target", [], frames=0),
        plain("no_frames_one_label", [1], frames=0),
        plain("label_is_blank_only", [3], frames=3),
        plain("label_is_blank_only_all_frames", [3], frames=5),
        plain("label_blank_at_the_end", [0, 1, 3], frames=5),
        plain("label_blank_in_the_middle", [0, 3, 1], frames=5),
        plain("label_too_large", [0, 4], frames=5),
        plain("label_far_too_large", [0, 1000], frames=5),
        plain("label_negative", [0, -1], frames=5),
        plain("label_length_too_large", [0, 1], frames=5, length=3),
        plain("label_length_negative", [0, 1], frames=5, length=-1),
        plain("input_length_too_large", [0, 1], frames=6),
        plain("input_length_negative", [0, 1], frames=-1),
    ]


def changed(at, value):
    y = PLAIN.copy()
    y[at] = value
    return y


def value_cases():
    """Values of y_pred that are not proper probabilities."""
    one_hot = np.eye(4)[[0, 1, 3, 2, 3]]
    return [
        plain("one_hot_right", [0, 1, 2], scores=one_hot),
        plain("one_hot_wrong", [2, 0], scores=one_hot),
        plain("zero_on_a_label", [0, 1], scores=changed((slice(None), 1), 0)),
        plain("zero_frame", [0, 1], scores=changed(1, 0)),
        plain("not_normalised", [0, 1], scores=PLAIN * 7),
        plain("tiny_sum", [0, 1], scores=PLAIN * 2.0**-30),
        plain("negative_in_a_frame", [0, 1], scores=changed((1, 2), -0.25)),
        plain("nan_in_a_frame", [0, 1], scores=changed((1, 2), NAN)),
        plain("inf_in_a_frame", [0, 1], scores=changed((1, 2), INF)),
        plain("nan_in_padding", [0, 1], frames=3, scores=changed(slice(3, None), NAN)),
        plain("inf_in_padding", [0, 1], frames=3, scores=changed(slice(3, None), INF)),
    ]


def logits(name, scores, labels):
    return case(name, [scores], [labels], [len(scores)], [len(labels)], kind="logits")


def logit_cases():
    """Scores that no y_pred + epsilon can reach; blank is the last class here too."""
    base = np.array([[3, 1, 0, 2], [0, 2, 1, 1], [1, 1, 3, 0]], "float32") / 2

    def lost(at):
        out = base.copy()
        out[at] = -INF
        return out

    return [
        logits("logits_plain", base, [0, 1]),
        logits("logits_confident", [[17, 0], [17, 0]], [0]),
        logits("logits_gap_150", [[0, 150]], [0]),
        logits("logits_gap_1000", [[0, 1000], [0, 1000]], [0]),
        logits("logits_minus_inf_unused_class", lost((slice(None), 2)), [0, 1]),
        logits("logits_minus_inf_one_frame", lost((1, 1)), [0, 1]),
        logits("logits_minus_inf_everywhere", lost((slice(None), 1)), [0, 1]),
        logits("logits_minus_inf_whole_frame", lost(1), [0, 1]),
        logits("logits_nan", np.where(np.arange(4) == 2, NAN, base), [0, 1]),
        logits("logits_plus_inf", np.where(np.arange(4) == 0, INF, base), [0, 1]),
        logits("logits_infeasible_short", base[:2], [0, 1, 2]),
        logits("logits_infeasible_repeats", base[:2], [1, 1]),
    ]


def hard_cases():
    return keras_cases() + shape_cases() + value_cases() + logit_cases()


# Exact zeros in y_pred: equal scores, whose order is that of TensorFlow's heap.
TIED = ("scale_10", "decode_30", "no_merge")


def keras_decode_cases():
    """Keras' three decoder tests. Decoders use no labels, so a single 0 replaces them."""
    greedy = np.zeros((2, 6, 4))
    greedy[0, :4] = [[1, 0, 0, 0], [0, 0, 0.4, 0.6], [0, 0, 0.4, 0.6], [0, 0.9, 0.1, 0]]
    greedy[1, :5] = [
        [0.1, 0.9, 0, 0],
        [0, 0.9, 0.1, 0],
        [0, 0, 0.1, 0.9],
        [0, 0.9, 0.1, 0.1],
        [0.9, 0.1, 0, 0],
    ]
    beam = [
        [0.30999, 0.309938, 0.0679938, 0.0673362, 0.0708352, 0.173908],
        [0.215136, 0.439699, 0.0370931, 0.0393967, 0.0381581, 0.230517],
        [0.199959, 0.489485, 0.0233221, 0.0251417, 0.0233289, 0.238763],
        [0.279611, 0.452966, 0.0204795, 0.0209126, 0.0194803, 0.20655],
        [0.51286, 0.288951, 0.0243026, 0.0220788, 0.0219297, 0.129878],
    ]
    no_merge = np.eye(3)[[2, 0, 2, 0, 1, 2, 1]]
    return [
        case("keras_decode_greedy", greedy, [[0], [0]], [4, 5], [1, 1]),
        # Keras' test decodes exp(these numbers + 2), and its decoder takes ln(y + epsilon) without
        # normalising. decode_input takes the exp, because exp differs between machines and must
        # stay out of the checksum.
        case("keras_decode_beam", [beam + np.zeros((1, 1))], [[0]], [5], [1], kind="logits"),
        case("keras_decode_no_merge", [no_merge], [[0]], [7], [1]),
    ]


def decode_input(c):
    """The y_pred of ctc_decode, (N, T, C) float32."""
    return c.scores if c.kind == "y_pred" else np.exp(c.scores + np.float32(2)).astype("float32")
