"""Collecting: what students handed in, wherever it lies, into the ledger and its store.

    source ──▶ Found (files in memory, cleaned) ──▶ store (by hash) ──▶ matching (whose is it) ──▶ ledger

A source is one module that yields `Found` and `Refused`; it knows nothing of the ledger. Nothing is ever dropped: what
can't be read is said in a line, what nobody is recognised for waits in the ledger for `grade collect --assign`.

SECURITY: files come from anybody. They are read within caps, never written under names that they bring along, and
never run here.
"""
