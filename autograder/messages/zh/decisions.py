"""The class: what people decide and put right by hand."""

MESSAGES: dict[str, str] = {
    # --- what needs a look
    "standing.note.faults": "系统故障 {count}",
    "standing.note.unclaimed": "无归属 {count}",
    "standing.note.unreadable": "无法评分 {count}",
    "standing.note.too_late": "逾期不收 {count}",
    "standing.note.requests": "待答复的复查申请 {count}",
    "standing.note.by_hand": "人工改分 {count}",
    "ledger.log.unreadable": "{name} 无法评分：{problem}",
    # --- when work came
    "cli.received.short": "更正提交时间",
    "cli.received.help": (
        "更正提交的实际时间：复制文件夹时，修改时间会变成复制的时间。编号是 `grade collect` 显示的编号，可以给多个：4-20 或 "
        "4,7,9-12。时间按课程时区：2026-09-27T20:00。\n\n来源给出的原时间仍保留在账本里。"
    ),
    "cli.metavar.numbers": "编号",
    "cli.metavar.moment": "时间",
    "received.bad_numbers": "{said!r} 不是提交编号",
    "received.bad_numbers_hint": "应为 `grade collect` 显示的编号：4、4-20 或 4,7,9-12。",
    "received.same": "第 {number} 号 {name} 的提交时间本来就是 {after}，没有改动。",
    "received.done": "第 {number} 号 {name} 的提交时间由 {before} 更正为 {after}。",
    "ledger.log.received": "{name} 的提交时间更正为 {received}：{why}",
    # --- groups
    "cli.group.short": "哪些学生共同提交",
    "cli.group.help": (
        "让几名学生共同提交一个作业：一人提交，全组有效，各人的延期仍各自计算。不给学生则列出分组。\n\n名单里的“小组”列也可以说明分组。"
        "已经收到的提交归属不变，需要时用 `grade assign` 指定。"
    ),
    "cli.group.name": "小组名；每名学生在一个作业里只属于一个小组。",
    "cli.group.alone": "这些学生各自提交，不管名单怎么写。",
    "cli.group.import": "从 .csv 或 .xlsx 导入分组，需要学号和小组两列。",
    "group.what": "怎么分组？请给 --name、--alone、--import 之一",
    "group.what_hint": "例如：grade group {id} --name A 2026001 2026002",
    "group.no_header": "{file} 里没有同时含学号列和小组列的表头",
    "group.no_header_hint": "表头应为：学号 小组，或 id, group。",
    "group.twice": "{student} 同时在两个小组里：{one} 和 {other}",
    "group.formed": "小组 {name}：{members}",
    "group.moved": "已退出小组 {name}：{members}",
    "group.alone": "各自提交：{members}",
    "group.apart": "此前收到、尚未归 {name} 全组的提交：{numbers}。要归全组所有：grade assign {number} {members}",
    "group.nobody": "{id} 没有分组。",
    # --- regrade requests
    "cli.request.short": "学生的复查申请与答复",
    "cli.request.help": "复查申请：学生对成绩的疑问，以及老师的答复。",
    "cli.request.add.help": "登记一名学生对一个作业的复查申请。",
    "cli.request.add.check": "针对这个检查；不给则针对整个作业。",
    "cli.request.add.text": "学生的理由。",
    "cli.request.list.help": "显示申请和答复。",
    "cli.request.list.open": "只显示尚未答复的。",
    "cli.request.answer.help": "答复一份申请。给出 --points 时同时改分，与 `grade override` 相同。",
    "cli.request.answer.text": "答复内容；给出 --points 时也作为改分的理由。",
    "cli.request.answer.points": "从现在起的得分。",
    "cli.metavar.request_number": "编号",
    "cli.metavar.any_assignment": "[作业]",
    "request.added": "已登记为第 {number} 号申请。答复命令：grade request answer {number} --text …",
    "request.none": "没有第 {number} 号申请",
    "request.none_hint": "`grade request list` 显示全部申请。",
    "request.nothing": "还没有人申请复查。",
    "request.nothing_open": "所有申请都已答复。",
    "request.answered": "已答复 {student} 的第 {number} 号申请。",
    "request.answered_before": "这份申请以前答复过，两次答复都保留：{said}",
    "request.earlier": "以前的答复：{said}",
    "request.points": "{student} 的得分从现在起改为 {points} 分（{about}）。",
    "request.open": "待答复",
    "request.answer": "{who} 答复：{said}",
    # --- the roster
    "cli.roster.add_only": "文件只含部分学生（例如一个班）：不在其中的不算退课。",
    "roster.would_leave": "名单里的 {all} 名学生中有 {count} 名不在这个文件里，将标记为退课。如果它只含部分学生，请加 --add-only",
    "roster.lost_zeros": "学号 {id} 丢了开头的 0：{name} 的学号是 {known}",
    "roster.lost_zeros_hint": "请把该列设为文本格式，或直接导入 .xlsx 文件。",
    "roster.kind.group": "分组",
    "roster.column.groups": "小组",
}
