"""What would cost every command a second for nothing: see `load_jsonschema`."""

from __future__ import annotations

import contextlib
import importlib
import sys

_GRAMMARS = "rfc3987_syntax"


def load_jsonschema() -> None:
    """Import jsonschema, which nbformat needs, without its grammars of international addresses.

    Beside JupyterLab they are installed, and jsonschema loads them where it finds them: a second to build 38 parsers,
    against 0.1 s for all the rest of nbformat. No notebook has anything that they check. Whoever imports them later
    still gets them.
    """
    if "jsonschema" in sys.modules or _GRAMMARS in sys.modules:
        return
    # None is how Python says that there is no such module.
    sys.modules[_GRAMMARS] = None  # type: ignore[assignment]
    try:
        with contextlib.suppress(ImportError):  # whoever needs it says so better
            importlib.import_module("jsonschema")
    finally:
        del sys.modules[_GRAMMARS]
