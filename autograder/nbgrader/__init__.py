"""A course that is kept with nbgrader: its folder set up, hand-ins repaired, a class graded, scores carried over.

    init      nbgrader_config.py and source/ of a course
    repair    a damaged notebook made one that nbgrader can take
    staging   the same for whatever lies in submitted/, before nbgrader looks at it
    batch     `nbgrader autograde` on all cores, past no student's failure
    sync      ledger ↔ gradebook.db

nbgrader's own files and commands stay what they are: it converts the notebooks, keeps its gradebook, writes feedback.
"""

from autograder.quick_start import load_jsonschema

load_jsonschema()  # nbformat and nbgrader need it, whichever of the modules here comes first
