"""What the words are made of that say why no attempt can be made: so that they can be told in another language."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Bring the tables from the version before to this one."""
    op.add_column("unreadable", sa.Column("said", sa.JSON(none_as_null=True), nullable=True))
