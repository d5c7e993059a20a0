from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from autograder.errors import UsageError
from autograder.ledger import people
from autograder.ledger.models import Alias, Event, ExtensionRow, Student
from autograder.ledger.people import Author
from autograder.roster import Person, RosterExtension
from tests.ledger.conftest import NOW

ME = Author("me", NOW)
ZONE = ZoneInfo("Asia/Shanghai")
LI = Person("2026001", "李华", "li@example.edu", "一班", (("email", "li@example.edu"),))
ZHANG = Person("2026017", "张三")


def import_(ledger, *persons, zone=ZONE):
    with ledger.writing() as session:
        return [(change.kind, change.id) for change in people.apply(session, persons, ME, zone)]


def test_a_roster_is_imported_and_imported_again(ledger):
    assert import_(ledger, LI, ZHANG) == [("added", "2026001"), ("added", "2026017")]
    assert import_(ledger, LI, ZHANG) == []
    with ledger.reading() as session:
        student = session.get(Student, "2026001")
        assert (student.name, student.email, student.section, student.left) == ("李华", "li@example.edu", "一班", False)
        assert session.scalars(select(Event.about)).all() == [{"added": 2}]


def test_who_left_is_kept_and_may_come_back(ledger):
    import_(ledger, LI, ZHANG)
    assert import_(ledger, LI) == [("left", "2026017")]
    with ledger.reading() as session:
        assert session.get(Student, "2026017").left
    assert import_(ledger, LI, ZHANG) == [("back", "2026017")]
    with ledger.reading() as session:
        assert not session.get(Student, "2026017").left


def test_an_lms_adds_its_numbers_and_takes_nothing_away(ledger):
    import_(ledger, LI)
    canvas = Person("2026001", "李华", aliases=(("canvas", "90210"),))
    assert import_(ledger, canvas) == [("alias", "2026001")]
    with ledger.reading() as session:
        student = session.get(Student, "2026001")
        assert student.email == "li@example.edu"
        assert {(one.source, one.alias) for one in session.scalars(select(Alias))} == {
            ("email", "li@example.edu"),
            ("canvas", "90210"),
        }


def test_a_mail_address_is_one_students_and_then_nothing_is_changed(ledger):
    import_(ledger, LI)
    with pytest.raises(UsageError, match=r"2026001.*2026017"):
        import_(ledger, LI, Person("2026017", "张三", "li@example.edu", aliases=(("email", "li@example.edu"),)))
    with ledger.reading() as session:
        assert session.get(Student, "2026017") is None


def test_extensions_are_moments_of_the_courses_clock_and_given_once(ledger):
    until = RosterExtension("hw3", 0, datetime(2027, 1, 12, 18))  # noqa: DTZ001 - by the course's clock
    extended = Person("2026017", "张三", extensions=(RosterExtension(None, 2), until))
    import_(ledger, extended)
    assert import_(ledger, extended) == []
    with ledger.reading() as session:
        rows = session.scalars(select(ExtensionRow).order_by(ExtensionRow.id)).all()
        assert [(row.assignment, row.days, row.until) for row in rows] == [
            (None, 2, None),
            ("hw3", 0, datetime(2027, 1, 12, 10, tzinfo=UTC)),
        ]
        assert {(row.who, row.at) for row in rows} == {("me", NOW)}


def test_pseudonyms_differ_and_stay(ledger):
    crowd = [Person(str(number), f"Student {number}") for number in range(300)]
    import_(ledger, *crowd)
    with ledger.reading() as session:
        before = {student.id: student.pseudonym for student in session.scalars(select(Student))}
    assert len(set(before.values())) == 300
    import_(ledger, *crowd[:299], Person("x", "New"))
    with ledger.reading() as session:
        after = {student.id: student.pseudonym for student in session.scalars(select(Student))}
    assert before.items() <= after.items()


@pytest.mark.parametrize("said", ["2026001", "s2026001", "李华", "li@example.edu", "LI@example.edu"])
def test_a_student_is_found_by_any_name(ledger, said):
    import_(ledger, LI, ZHANG)
    with ledger.reading() as session:
        assert people.require_student(session, said).id == "2026001"


@pytest.mark.parametrize(("said", "says"), [("王五", "王五"), ("李华", "2026001, 2026002")])
def test_nobody_and_several_are_said(ledger, said, says):
    import_(ledger, LI, Person("2026002", "李华"))
    with ledger.reading() as session, pytest.raises(UsageError, match=says):
        people.require_student(session, said)


def test_groups_hand_in_together(ledger):
    import_(ledger, LI, ZHANG, Person("3", "C"))
    with ledger.writing() as session:
        people.group(session, "hw2", "g1", ["2026001", "2026017"], ME)
    with ledger.reading() as session:
        assert people.groups_of(session, "hw2") == {"g1": ["2026001", "2026017"]}
        assert people.groups_of(session, "hw1") == {}
    with pytest.raises(UsageError, match="nobody"), ledger.writing() as session:
        people.group(session, "hw2", "g1", ["nobody"], ME)
