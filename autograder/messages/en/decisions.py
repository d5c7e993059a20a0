"""The class: what people decide and put right by hand."""

MESSAGES: dict[str, str] = {
    # --- what needs a look
    "standing.note.faults": "{count} failed by our fault",
    "standing.note.unclaimed": "{count} nobody's",
    "standing.note.unreadable": "{count} can't be graded",
    "standing.note.too_late": "{count} too late",
    "standing.note.requests": "{count} asked for a second look",
    "standing.note.by_hand": "{count} decided by hand",
    "ledger.log.unreadable": "{name} can't be graded: {problem}",
    # --- when work came
    "cli.received.short": "put right when work was handed in",
    "cli.received.help": (
        "Say when submissions really came: a copy of a folder has the times of the copying. NUMBER is one as `grade collect` "
        "shows it, or several: 4-20, or 4,7,9-12. TIME is by the course's clock: 2026-09-27T20:00.\n\nWhat the source said stays "
        "in the ledger beside it."
    ),
    "cli.metavar.numbers": "NUMBER",
    "cli.metavar.moment": "TIME",
    "received.bad_numbers": "{said!r} names no submissions",
    "received.bad_numbers_hint": "Expected numbers as `grade collect` shows them: 4, or 4-20, or 4,7,9-12.",
    "received.same": "#{number} {name} is known to have come at {after}; nothing was changed.",
    "received.done": "#{number} {name} came at {after}, and not at {before}.",
    "ledger.log.received": "{name} came at {received}: {why}",
    # --- groups
    "cli.group.short": "who hands in together",
    "cli.group.help": (
        "Have STUDENTs hand in HW together: what one of them hands in counts for all, each with his own extensions. Without "
        "STUDENTs, the groups are listed.\n\nThe roster can say it too, in a column group. What was collected before stays with "
        "whom it belongs to: `grade assign`."
    ),
    "cli.group.name": "Of the group; a student is in one group of an assignment.",
    "cli.group.alone": "They hand in by themselves, whatever the roster says.",
    "cli.group.import": "Take the groups from a .csv or .xlsx with the columns id and group.",
    "group.what": "how are they grouped? Give one of --name, --alone, --import",
    "group.what_hint": "For example: grade group {id} --name A 2026001 2026002",
    "group.no_header": "{file} has no line that names a column of student numbers and one of groups",
    "group.no_header_hint": "Expected: id and group, or the Chinese names of these.",
    "group.twice": "{student} is in two groups: {one} and {other}",
    "group.formed": "Group {name}: {members}",
    "group.moved": "No longer in {name}: {members}",
    "group.alone": "By themselves: {members}",
    "group.apart": "Handed in before, and not of all of {name}: {numbers}. To share one: grade assign {number} {members}",
    "group.nobody": "Nobody hands in {id} together.",
    # --- regrade requests
    "cli.request.short": "students who ask for a second look, and the answers",
    "cli.request.help": "Regrade requests: what a student asks about a grade, and what was answered.",
    "cli.request.add.help": "Record that STUDENT asks for a second look at HW.",
    "cli.request.add.check": "At this check; otherwise at the assignment as a whole.",
    "cli.request.add.text": "What the student says.",
    "cli.request.list.help": "Show what was asked, and what was answered.",
    "cli.request.list.open": "Only what nobody has answered yet.",
    "cli.request.answer.help": "Answer request NUMBER. With --points it is a decision about these points, as `grade override` makes one.",
    "cli.request.answer.text": "The answer; with --points it is the reason, too.",
    "cli.request.answer.points": "The points that count from now on.",
    "cli.metavar.request_number": "NUMBER",
    "cli.metavar.any_assignment": "[HW]",
    "request.added": "Request {number}. To answer it: grade request answer {number} --text …",
    "request.none": "there is no request {number}",
    "request.none_hint": "`grade request list` shows them.",
    "request.nothing": "Nobody has asked for a second look.",
    "request.nothing_open": "Every request is answered.",
    "request.answered": "Request {number} of {student} is answered.",
    "request.points": "{student}: {about} has {points} points from now on.",
    "request.open": "open",
    "request.answer": "answer by {who}: {said}",
    # --- the roster
    "cli.roster.add_only": "It is a part of the class, a section for one: who is not in it has not left.",
    "roster.would_leave": "{count} of {all} students are not in this file and would be marked as having left. If it is a part of the class only: --add-only",
    "roster.lost_zeros": "the student number {id} has lost its leading zeros: {name} is {known}",
    "roster.lost_zeros_hint": "Format that column as text, or import the .xlsx itself.",
    "roster.kind.group": "group",
    "roster.column.groups": "group",
}
