"""The report, and what is shown while it is being made."""

MESSAGES: dict[str, str] = {
    # --- the report
    "report.where": "{framework} on {device} · isolation: {isolation}",
    "report.full_data": "full dataset",
    "report.task": "Task {task}",
    "report.expected": "expected",
    "report.came": "came",
    "report.try": "try",
    "report.hidden": "(hidden)",
    "report.needed": "(needed by the task you asked for; not counted)",
    "report.in_function": "in {name}",
    "report.repeated": "{frame} (again and again)",
    "report.cell_line": "{file}, code cell {cell}, line {line}",
    "report.output": "your output (last {shown} lines):",
    "report.median": "{value} (median of {values})",
    "report.metric_plain": "{name} {value} (not graded)",
    "report.metric_lower": "{name} {value} · full marks at ≤ {full}, none from {zero}",
    "report.metric_higher": "{name} {value} · full marks at ≥ {full}, none up to {zero}",
    "report.score": "Score {score} / {most}",
    "report.duration": "{seconds} s",
    "report.hidden_not_run": "Not checked here: hidden checks, {points} points. Your instructor runs them.",
    "report.environment": (
        "Python {python}, numpy {numpy}, {platform}, {threads} threads, seeds {seeds}, checks {checks}, "
        "submission {submission}"
    ),
    "status.passed": "passed",
    "status.partial": "partly right",
    "status.failed": "failed",
    "status.error": "error",
    "status.timeout": "out of time",
    "status.memory": "out of memory",
    "status.output": "too much output",
    "status.crashed": "crashed",
    "status.forbidden": "not allowed",
    "status.skipped": "skipped",
    "status.internal": "not graded yet",
    # --- the live line
    "progress.starting": "starting",
    "progress.loading": "loading {what}…",
    "progress.importing": "importing your file",
    "progress.check": "{number}/{total} {title}",
    "progress.calling": "{name}(…)",
    "progress.training": "{name}(…, seed={seed})",
    "progress.validating": "validating",
    # --- advice: what boxes tell beside their answers
    "report.note": "Note: {note}",
    "report.note_times": "{note} ({times} times)",
    "note.eager_compile": "torch.compile compiles nothing in grading; your model ran as it is, with the same results.",
    "note.stand_in": "{detail} is not installed here; a small part of it that grade brings along stood in for it.",
    "note.numeric_warning": "while your code ran, Python warned: {detail}",
}
