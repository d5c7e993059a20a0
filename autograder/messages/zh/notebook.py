"""Notebooks: what they say, and nbgrader."""

MESSAGES: dict[str, str] = {
    "cli.start.notebook": "用 notebook（JupyterLab）做作业，而不是 Python 文件。",
    "notebook.how": "**在这个 notebook 里**，代码写在还写着 `NotImplementedError` 的单元格里；运行每个任务下面的检查单元格，就能看到得分。`%grade` 开头的命令可以写进任何一个代码单元格运行，之前先运行一次 `%load_ext autograder`；`%grade check {id}` 检查全部任务。检查之前请先保存：检查的是已保存的 notebook。",
    "notebook.task": "## 任务 {id}：{title}（{points} 分）",
    "notebook.together": "任务 {tasks} 也写在下面这个单元格里。",
    "notebook.hidden": "任务 {id} 的隐藏检查，{points} 分：全班评分时才会运行。",
    "notebook.several": "这里有好几个 notebook 都属于这次作业：{files}",
    "notebook.not_found": "{folder} 里没有已保存的、属于 {id} 的 notebook",
    "notebook.not_found_hint": "请把 notebook 保存在作业文件夹里，并保留原来的文件名。",
    "notebook.no_answer": "检查结束了，但没有给出结果。",
    "notebook.stopped": "检查已中止。",
    "notebook.saved_seconds": "{number} 秒前保存",
    "notebook.saved_minutes": "{number} 分钟前保存",
    "notebook.saved_hours": "{number} 小时前保存",
    "notebook.unsaved": "请先保存（Ctrl+S）：检查的是已保存的 notebook，而刚才运行的内容还没有存进去。",
    "notebook.bad_line": "看不懂这一行：{line}（{problem}）",
    "notebook.which": "检查哪一次作业？",
    "notebook.which_hint": "请写上作业编号：%grade check hw2",
    "notebook.cell_not_saved": "已保存的 notebook 里还没有这个单元格",
    "notebook.cell_not_saved_hint": "请先保存 notebook，再运行这个单元格。",
    "notebook.not_ours": "这个单元格不属于本次作业的任何任务，不计分。",
    "notebook.internal": "这个 notebook 没能评分，是评分系统的问题；它还没有成绩。{problem}",
    "note.cell_raised": "notebook 里有单元格运行出错，后面的单元格照常运行：代码单元格 {detail}",
    "note.cell_stopped": "notebook 里有单元格运行太久，已被中断，后面的单元格照常运行：代码单元格 {detail}",
    # --- what cells show
    "notebook.figure_left_out": "这个单元格有图没有显示：图太大，或者 notebook 里的图太多。",
}
