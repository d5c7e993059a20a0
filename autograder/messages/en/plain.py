"""Plain nbgrader assignments: kernels in boxes, and making checks of them."""

MESSAGES: dict[str, str] = {
    "plain.no_such_isolation": "There is no isolation called {name} for kernels; there are: {names}.",
    "plain.not_linux": 'A kernel can be closed on Linux only. `c.GradeBoxProvisioner.isolation = "process"` runs it as stock nbgrader does, with your rights: for submissions that you trust.',
    "plain.refused": 'No kernel can be closed on this system. {problems} `c.GradeBoxProvisioner.isolation = "process"` runs notebooks as stock nbgrader does, with your rights: for submissions that you trust.',
    "plain.long_path": "The folder for temporary files has too long a path for a kernel's sockets: {folder}. Set TMPDIR to a shorter one.",
    "plain.not_started": "The kernel could not be closed: {problem}",
    "plain.too_much": "the submission's files take more than {mb} MB (c.GradeBoxProvisioner.disk_mb)",
    "plain.ended.time": "The notebook took longer than {total_s} seconds in all, and was ended here. This cell and those after it earn nothing.",
    "plain.ended.memory": "The notebook took more than {memory_mb} MB of memory, and was ended here. This cell and those after it earn nothing.",
    "plain.ended.disk": "The notebook wrote more files than it may, and was ended here. This cell and those after it earn nothing.",
    "plain.ended.output": "The notebook printed more than {output_mb} MB, and was ended here. This cell and those after it earn nothing.",
    "plain.ended.died": "The kernel ended in this cell (a crash, or code that ends its process). This cell and those after it earn nothing.",
    "plain.ended.hangs": "This cell ran for too long and could not be interrupted. It and those after it earn nothing.",
    "plain.not_run": "Not run: the notebook was ended in an earlier cell.",
    "plain.over": "The cell's last value, {value}, is more than its {points} points; it earns nothing.",
}
