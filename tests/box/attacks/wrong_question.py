import os

from autograder.box.protocol import Returned, encode_message


def attack(facts):
    """Answer a question that will be asked later."""
    os.write(3, b"".join(encode_message(Returned(id=1000, value=None), [])))
    return {}
