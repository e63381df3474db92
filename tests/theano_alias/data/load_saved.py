"""Load what make_saved.py saved, with the Keras that is here, and compare."""

import h5py
import numpy as np


def check(path, steps):
    """Compare the whole model, the weights loaded into the JSON architecture, and training."""
    from keras.models import load_model, model_from_json

    with h5py.File(path, "r") as stream:
        then = {name: value[()] for name, value in stream["check"].items()}
    text = then["json"]
    model, again = (
        load_model(path),
        model_from_json(text.decode() if isinstance(text, bytes) else text),
    )
    again.load_weights(path)
    for loaded in (model, again):
        np.testing.assert_allclose(
            loaded.predict(then["x"]), then["predictions"], rtol=1e-5, atol=1e-6
        )
    losses = [float(model.train_on_batch(then["x"], then["y"])) for _ in range(steps)]
    np.testing.assert_allclose(losses, then["losses"][:steps], rtol=1e-5)
