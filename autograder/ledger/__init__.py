"""The ledger: every submission, every attempt, every decision about a grade; it only grows (DESIGN §2).

`models` are the tables, `database` opens them. What is in force (which submission counts, which points) is derived from
the rows each time and stored nowhere, so that nothing can disagree with the record.
"""
