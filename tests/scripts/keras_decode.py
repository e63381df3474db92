"""Keras' own decoding test, on any library that provides `theano`.

Prints the labels and scores of K.ctc_decode on arrays and in a graph, as JSON.
"""

import json

import numpy as np
from keras import backend as K

LOG_P = np.array(
    [
        [0.30999, 0.309938, 0.0679938, 0.0673362, 0.0708352, 0.173908],
        [0.215136, 0.439699, 0.0370931, 0.0393967, 0.0381581, 0.230517],
        [0.199959, 0.489485, 0.0233221, 0.0251417, 0.0233289, 0.238763],
        [0.279611, 0.452966, 0.0204795, 0.0209126, 0.0194803, 0.20655],
        [0.51286, 0.288951, 0.0243026, 0.0220788, 0.0219297, 0.129878],
    ],
    dtype="float32",
)
y_pred, frames = np.exp(LOG_P + 2)[None], np.array([5], dtype="int32")
options = dict(greedy=False, beam_width=2, top_paths=2)

paths, scores = K.ctc_decode(y_pred, frames, **options)
at_once = [K.get_value(path).tolist() for path in paths] + [K.get_value(scores).tolist()]
symbols = K.placeholder(ndim=3), K.placeholder(ndim=1, dtype="int32")
paths, scores = K.ctc_decode(*symbols, **options)
in_a_graph = [
    value.tolist() for value in K.function(list(symbols), list(paths) + [scores])([y_pred, frames])
]
print(json.dumps([at_once, in_a_graph]))
