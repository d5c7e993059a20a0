from __future__ import annotations

import json
import math

import jsonschema
import pydantic
import pytest
from pydantic import ValidationError

from autograder import schema
from autograder.results import CheckResult, Environment, MetricResult, Note, Report, Status
from tests.tiny_course import attempt, make_course

NAN, INF = math.nan, math.inf
SECRET = "hidden input 4.25"


def make_check(**changes):
    return CheckResult(
        **{
            "id": "test_x::test_y",
            "task": "1",
            "title": "y is right",
            "status": Status.PASSED,
            "score": 5.0,
            "max_points": 10.0,
            "hidden": False,
        }
        | changes
    )


def make_report(*checks, **changes):
    return Report(
        **{
            "assignment": "hw1",
            "submission": "感知机.py",
            "submission_sha256": "0" * 64,
            "score": 5.0,
            "max_points": 10.0,
            "status": Status.PARTIAL,
            "isolation": "process",
            "device": "cpu",
            "framework": None,
            "started_at": "2026-10-12T23:59:00+00:00",
            "duration_s": 1.0,
            "checks": checks or (make_check(),),
            "environment": Environment(),
            "seeds": (0, 1),
            "autograder_version": "0.1.0",
            "checks_sha256": "1" * 64,
        }
        | changes
    )


def _published_schema():
    return json.loads((schema.FOLDER / "report.schema.json").read_text(encoding="utf-8"))


# --- JSON -----------------------------------------------------------------------------------------------------------


def test_a_report_survives_json():
    report = make_report(make_check(message="实际 “3”", frames=("mlp.py:3",), stdout_tail="a\x1b[2J\0b"))
    assert Report.model_validate_json(report.model_dump_json()) == report


@pytest.mark.parametrize("value", [NAN, INF, -INF, 0.1 + 0.2, 5e-324, 1e308])
def test_raw_metric_values_survive_json_to_the_last_bit(value):
    metric = MetricResult(value=value, values=(value, 1.0))
    report = make_report(make_check(metrics={"nmse": metric}), metrics={"nmse": metric})
    written = report.model_dump_json()
    came = Report.model_validate_json(written).checks[0].metrics["nmse"].values[0]
    assert came == value or (math.isnan(came) and math.isnan(value))
    json.loads(written, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@pytest.mark.parametrize("field", ["score", "max_points", "duration_s"])
def test_points_and_times_are_never_negative(field):
    with pytest.raises(ValidationError):
        make_check(**{field: -0.5})
    with pytest.raises(ValidationError):
        make_report(**{field: -0.5})


def test_results_are_frozen_and_know_their_fields():
    with pytest.raises(ValidationError):
        make_check().score = 10.0
    with pytest.raises(ValidationError):
        make_check(points=3)


def test_the_statuses_are_those_of_design_5():
    design = "passed partial failed error timeout memory output crashed forbidden skipped internal"
    assert [status.value for status in Status] == design.split()


# --- schemas --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(schema.schemas()), ids=lambda path: path.name)
def test_schema_files_are_in_step_with_the_models(repository, path):
    if f"pydantic=={pydantic.VERSION}\n" not in (repository / "constraints.txt").read_text(encoding="utf-8"):
        pytest.skip("other versions of pydantic word the same schema differently")
    assert path.read_text(encoding="utf-8") == schema.schemas()[path], "run python -m autograder.schema"


def test_there_is_no_schema_file_that_nothing_makes():
    assert set(schema.FOLDER.glob("*.json")) == set(schema.schemas())


@pytest.mark.parametrize("path", sorted(schema.schemas()), ids=lambda path: path.name)
def test_schema_files_are_schemas(path):
    jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


def test_a_real_report_is_what_the_published_schema_says(tmp_path):
    report = attempt(make_course(tmp_path), hidden=True, full=True)
    jsonschema.validate(json.loads(report.model_dump_json()), _published_schema())


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_report_of_a_training_that_diverged_is_what_the_published_schema_says(value):
    metric = MetricResult(value=value, values=(value,), full=0.1, zero=1.0)
    report = make_report(make_check(metrics={"nmse": metric}), metrics={"nmse": metric})
    jsonschema.validate(json.loads(report.model_dump_json()), _published_schema())


def test_the_schema_refuses_what_is_no_report():
    report = json.loads(make_report().model_dump_json())
    for broken in (report | {"extra": 1}, report | {"status": "fine"}, report | {"schema_version": 2}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, _published_schema())


# --- what a student may see -----------------------------------------------------------------------------------------


def _telling(**changes):
    return make_check(
        status=Status.ERROR, score=0.0, message=f"ValueError: {SECRET}", expected=SECRET, came=SECRET,
        frames=(f"mlp.py:3: raise ValueError({SECRET})",), staff_note=f"Traceback {SECRET}", stdout_tail=SECRET,
        notes=(Note(kind="numeric_warning", text=SECRET),),
        **changes,
    )  # fmt: skip


def test_redaction_hides_error_text_and_output_of_hidden_checks():
    seen = make_report(_telling(hidden=True)).redacted()
    assert SECRET not in seen.model_dump_json()
    check = seen.checks[0]
    assert (check.title, check.status, check.score, check.max_points) == ("y is right", Status.ERROR, 0.0, 10.0)


def test_security_redaction_hides_what_hidden_checks_measure():
    public, hidden = MetricResult(value=0.2, values=(0.2,)), MetricResult(value=4.25, values=(4.25,), full=0.01, zero=1)
    checks = (make_check(metrics={"nmse": public}), make_check(hidden=True, metrics={"nmse": hidden, "other": hidden}))
    seen = make_report(*checks, metrics={"nmse": hidden, "other": hidden}).redacted()
    assert [check.metrics for check in seen.checks] == [{"nmse": public}, {}]
    assert seen.metrics == {"nmse": public}
    assert "4.25" not in seen.model_dump_json()
    assert "other" not in seen.model_dump_json()


def test_security_redaction_hides_how_long_hidden_checks_took():
    """A function that sleeps as long as its argument says tells it by the clock."""
    checks = (make_check(duration_s=2.0), make_check(hidden=True, duration_s=17.0))
    seen = make_report(*checks, duration_s=19.5).redacted()
    assert [check.duration_s for check in seen.checks] == [2.0, 0.0]
    assert seen.duration_s == 2.0
    assert make_report(checks[0], duration_s=2.5).redacted().duration_s == 2.5  # nothing to hide


def test_redaction_leaves_a_public_check_its_words_but_not_the_staffs():
    check = make_report(_telling(hidden=False)).redacted().checks[0]
    assert check.message == f"ValueError: {SECRET}"
    assert check.stdout_tail == check.expected == check.came == SECRET
    assert check.frames
    assert check.staff_note == ""


def test_redaction_makes_a_copy():
    report = make_report(_telling(hidden=True))
    report.redacted()
    assert SECRET in report.checks[0].message


def test_a_hidden_input_cannot_leave_by_the_hint(tmp_path):
    code = "def add(a, b):\n    raise ModuleNotFoundError(name=f'{a} and {b}')\n\n\ndef slope(*_, **__): return 0\n"
    report = attempt(make_course(tmp_path), code, hidden=True)
    assert "-20 and 3" in report.model_dump_json()  # staff sees it
    assert "-20" not in report.redacted().model_dump_json()


def test_hidden_inputs_do_not_reach_the_redacted_report(tmp_path):
    code = "def add(a, b):\n    print('seen', a)\n    raise ValueError(a)\n\n\ndef slope(*_, **__): return 0\n"
    report = attempt(make_course(tmp_path), code, hidden=True)
    assert "seen -20" in report.model_dump_json()
    assert "-20" not in report.redacted().model_dump_json()
