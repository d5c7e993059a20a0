"""`grade run`: a class's submissions through the judge, into the ledger; safe to interrupt at any moment.

    ledger ──planning──▶ Work (a submission, its key, what to do) ──grading──▶ judges, several at a time ──▶ ledger

Each attempt is recorded in a transaction of its own as soon as it ends. An attempt's key is a hash of all that its
result hangs on; what the ledger has under the same key is not run again, so that going on after a kill -9 and grading
what is new are the same thing.
"""
