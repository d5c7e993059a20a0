import os
import sqlite3

from common import gained, read


def attack(facts):
    """Read the scores of a class, and change one."""
    file = facts["ledger"]

    def attempt(command, address):
        try:
            with sqlite3.connect(address, uri=True) as ledger:
                return ledger.execute(command).fetchall()
        except sqlite3.Error as error:
            raise OSError(str(error)) from None

    return gained(
        bytes=lambda: read(file),
        scores=lambda: attempt("SELECT points FROM finals", f"file:{file}?mode=ro"),
        unlocked=lambda: attempt("SELECT points FROM finals", f"file:/proc/self/root{file}?mode=ro&immutable=1"),
        changed=lambda: attempt("UPDATE finals SET points = 100 RETURNING points", f"file:{file}?mode=rw"),
        replaced=lambda: os.replace(__file__, file),
    )
