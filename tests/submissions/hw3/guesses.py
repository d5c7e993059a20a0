"""A label that has nothing to do with what the picture shows, and is always the same for one picture."""

from finished_torch import *


def predict(model, images):
    return images.sum((1, 2), dtype="int64") % 10
