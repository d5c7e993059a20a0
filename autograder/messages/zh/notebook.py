"""Notebooks: what they say, and nbgrader."""

MESSAGES: dict[str, str] = {
    "cli.start.notebook": "用 notebook（JupyterLab）做作业，而不是 Python 文件。",
    "notebook.how": "**在这个 notebook 里**，代码写在还写着 `NotImplementedError` 的单元格里；运行每道题下面的检查单元格，就能看到得分。下面的说明提到文件或命令的地方，都以这个 notebook 为准：先运行 `%load_ext autograder`，再用 `%grade check {id}` 检查全部题目。检查之前请先保存：检查的是已保存的 notebook。",
    "notebook.task": "## 任务 {id}：{title}（{points} 分）",
    "notebook.hidden": "任务 {id} 的隐藏检查，{points} 分：全班评分时才会运行。",
}
