import os
import threading

from autograder.box.protocol import Returned, encode_message


def attack(facts):
    """A thread that sends answers without end, as fast as the judge can read."""
    frame = b"".join(encode_message(Returned(id=1 << 40, value=None), [])) * 100

    def send():
        while True:
            os.write(3, frame)

    threading.Thread(target=send, daemon=True).start()
    threading.Event().wait()
