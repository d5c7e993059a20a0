"""Notebooks: what they say, and nbgrader."""

MESSAGES: dict[str, str] = {
    "cli.start.notebook": "A notebook to work in, for JupyterLab, instead of a Python file.",
    "notebook.how": "**In this notebook** you write in the cells that still say `NotImplementedError`, and run the cell under each task to see your points. Commands that begin with `%grade` can be run in any code cell, once `%load_ext autograder` has been; `%grade check {id}` checks everything. Save before you check: the saved notebook is what is checked.",
    "notebook.task": "## Task {id}: {title} ({points} points)",
    "notebook.together": "The cell below is for task {tasks} as well.",
    "notebook.hidden": "Hidden checks of task {id}, {points} points: they run when the class is graded.",
    "notebook.several": "several notebooks here are about this assignment: {files}",
    "notebook.not_found": "no saved notebook about {id} in {folder}",
    "notebook.not_found_hint": "Save the notebook in the folder of the homework, under the name it came with.",
    "notebook.no_answer": "The check ended without an answer.",
    "notebook.stopped": "The check was stopped.",
    "notebook.saved_seconds": "saved {number} s ago",
    "notebook.saved_minutes": "saved {number} min ago",
    "notebook.saved_hours": "saved {number} h ago",
    "notebook.unsaved": "Save first (Ctrl+S): the saved notebook is what is checked, and it does not have what you ran last.",
    "notebook.bad_line": "this line can't be read: {line} ({problem})",
    "notebook.which": "which assignment?",
    "notebook.which_hint": "Write its id: %grade check hw2",
    "notebook.cell_not_saved": "this cell is not in the saved notebook yet",
    "notebook.cell_not_saved_hint": "Save the notebook, then run the cell again.",
    "notebook.not_ours": "This cell belongs to no task of the assignment, and earns nothing.",
    "notebook.internal": "The notebook could not be graded, which is our fault; it has no grade yet. {problem}",
    "note.cell_raised": "a cell of your notebook raised, and the cells after it ran: code cell {detail}",
    "note.cell_stopped": "a cell of your notebook took too long and was stopped, and the cells after it ran: code cell {detail}",
    # --- what cells show
    "notebook.figure_left_out": "A figure of this cell is not shown: it is too large, or the notebook has too many.",
}
