"""Notebooks: what they say, and nbgrader."""

MESSAGES: dict[str, str] = {
    "cli.start.notebook": "A notebook to work in, for JupyterLab, instead of a Python file.",
    "notebook.how": "**In this notebook** you write in the cells that still say `NotImplementedError`, and run the cell under each task to see your points. Where the handout below names a file or a command, the notebook stands for both: `%load_ext autograder`, then `%grade check {id}` checks everything. Save before you check: the saved notebook is what is checked.",
    "notebook.task": "## Task {id}: {title} ({points} points)",
    "notebook.hidden": "Hidden checks of task {id}, {points} points: they run when the class is graded.",
}
