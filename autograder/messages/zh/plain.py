"""Plain nbgrader assignments: kernels in boxes, and making checks of them, in Chinese."""

MESSAGES: dict[str, str] = {
    "plain.no_such_isolation": "内核没有名为 {name} 的隔离方式，可选的有：{names}。",
    "plain.not_linux": '只有在 Linux 上才能把内核关起来。设置 `c.GradeBoxProvisioner.isolation = "process"` 后，会像原版 nbgrader 那样以您的权限运行，只适合您信得过的提交。',
    "plain.refused": '这个系统上没有办法把内核关起来。{problems} 设置 `c.GradeBoxProvisioner.isolation = "process"` 后，会像原版 nbgrader 那样以您的权限运行，只适合您信得过的提交。',
    "plain.long_path": "临时文件夹的路径太长，内核的套接字放不下：{folder}。请把 TMPDIR 设为更短的路径。",
    "plain.not_started": "没能把内核关起来：{problem}",
    "plain.too_much": "提交的文件超过了 {mb} MB（c.GradeBoxProvisioner.disk_mb）",
    "plain.ended.time": "整个 notebook 的运行时间超过了 {total_s} 秒，到这里为止。这个单元格和后面的都不得分。",
    "plain.ended.memory": "这个 notebook 用的内存超过了 {memory_mb} MB，到这里为止。这个单元格和后面的都不得分。",
    "plain.ended.disk": "这个 notebook 写的文件超过了上限，到这里为止。这个单元格和后面的都不得分。",
    "plain.ended.output": "这个 notebook 打印的内容超过了 {output_mb} MB，到这里为止。这个单元格和后面的都不得分。",
    "plain.ended.died": "内核在这个单元格里退出了（程序崩溃，或代码结束了进程）。这个单元格和后面的都不得分。",
    "plain.ended.hangs": "这个单元格运行太久，而且无法中断。它和后面的都不得分。",
    "plain.not_run": "没有运行：notebook 在前面的单元格里就结束了。",
    "plain.over": "这个单元格的最后一个值是 {value}，超过了它的 {points} 分，因此不得分。",
}
