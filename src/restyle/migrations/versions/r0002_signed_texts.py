"""What was signed stays known with the request_uuid, so that nobody cuts the same text into another request."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("requests", sa.Column("signature", sa.String(40)))
    op.create_index("ix_requests_account_id_signature", "requests", ["account_id", "signature"])


def downgrade() -> None:
    op.drop_index("ix_requests_account_id_signature", "requests")
    op.drop_column("requests", "signature")
