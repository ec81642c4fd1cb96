"""Balances, the ledger, limits, usage, budgets, and the processes that serve."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables of money and limits."""
    op.create_table(
        "balances",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("posted_nano", sa.BigInteger, nullable=False),
        sa.Column("held_nano", sa.BigInteger, nullable=False),
        sa.Column("holds", sa.BigInteger, nullable=False),
        sa.Column("payments_nano", sa.BigInteger, nullable=False),
        sa.Column("grants_nano", sa.BigInteger, nullable=False),
        sa.Column("revenue_nano", sa.BigInteger, nullable=False),
        sa.Column("expired_nano", sa.BigInteger, nullable=False),
        sa.Column("adjustments_nano", sa.BigInteger, nullable=False),
        sa.Column("grants", sa.LargeBinary, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("head", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "transfers",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("debit", sa.String(16), nullable=False),
        sa.Column("credit", sa.String(16), nullable=False),
        sa.Column("amount_nano", sa.BigInteger, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("pending", sa.String(200), nullable=False),
        sa.Column("expires_ms", sa.BigInteger),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("unpaid_nano", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("transfers_by_id", "transfers", ["project", "id"], unique=True)
    op.create_table(
        "holds",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("request", sa.String(128), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quotas",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("model", sa.String(128), primary_key=True),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("request", sa.String(128), nullable=False),
        sa.Column("key_id", sa.String(40), nullable=False),
        sa.Column("key_name", sa.String(128), nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("asked", sa.String(256), nullable=False),
        sa.Column("tier", sa.String(16), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_tokens", sa.BigInteger, nullable=False),
        sa.Column("candidates_tokens", sa.BigInteger, nullable=False),
        sa.Column("thoughts_tokens", sa.BigInteger, nullable=False),
        sa.Column("text_tokens", sa.BigInteger, nullable=False),
        sa.Column("image_tokens", sa.BigInteger, nullable=False),
        sa.Column("video_tokens", sa.BigInteger, nullable=False),
        sa.Column("audio_tokens", sa.BigInteger, nullable=False),
        sa.Column("document_tokens", sa.BigInteger, nullable=False),
        sa.Column("lines", sa.Text, nullable=False),
        sa.Column("cost_nano", sa.BigInteger),
        sa.Column("bound_nano", sa.BigInteger),
        sa.Column("unpaid_nano", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("read_ms", sa.BigInteger),
        sa.Column("accepted_ms", sa.BigInteger),
        sa.Column("admitted_ms", sa.BigInteger),
        sa.Column("begun_ms", sa.BigInteger),
        sa.Column("first_token_ms", sa.BigInteger),
        sa.Column("took_ms", sa.BigInteger, nullable=False),
        sa.Column("settled_ms", sa.BigInteger, nullable=False),
        sa.Column("entry", sa.BigInteger),
    )
    op.create_index("usage_by_time", "usage", ["project", "settled_ms", "id"])
    op.create_table(
        "usage_hours",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("hour_ms", sa.BigInteger, primary_key=True),
        sa.Column("model", sa.String(128), primary_key=True),
        sa.Column("tier", sa.String(16), primary_key=True),
        sa.Column("key_id", sa.String(40), primary_key=True),
        sa.Column("key_name", sa.String(128), primary_key=True),
        sa.Column("outcome", sa.String(32), primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("unpriced", sa.BigInteger, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_tokens", sa.BigInteger, nullable=False),
        sa.Column("candidates_tokens", sa.BigInteger, nullable=False),
        sa.Column("thoughts_tokens", sa.BigInteger, nullable=False),
        sa.Column("text_tokens", sa.BigInteger, nullable=False),
        sa.Column("image_tokens", sa.BigInteger, nullable=False),
        sa.Column("video_tokens", sa.BigInteger, nullable=False),
        sa.Column("audio_tokens", sa.BigInteger, nullable=False),
        sa.Column("document_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_nano", sa.BigInteger, nullable=False),
        sa.Column("credits_nano", sa.BigInteger, nullable=False),
        sa.Column("unpaid_nano", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "usage_hour_lines",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("hour_ms", sa.BigInteger, primary_key=True),
        sa.Column("model", sa.String(128), primary_key=True),
        sa.Column("tier", sa.String(16), primary_key=True),
        sa.Column("item", sa.String(16), primary_key=True),
        sa.Column("modality", sa.String(16), primary_key=True),
        sa.Column("nano_per_million", sa.BigInteger, primary_key=True),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("cost_nano", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "budgets",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("period", sa.String(16), nullable=False),
        sa.Column("amount_nano", sa.BigInteger, nullable=False),
        sa.Column("thresholds_permille", sa.Text, nullable=False),
        sa.Column("webhook", sa.Text, nullable=False),
        sa.Column("told_start_ms", sa.BigInteger, nullable=False),
        sa.Column("told_permille", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("due_ms", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
    )
    op.create_index("outbox_by_due", "outbox", ["due_ms"])
    op.create_table(
        "owners",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("host", sa.String(256), nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("born_ms", sa.BigInteger, nullable=False),
        sa.Column("heartbeat_ms", sa.BigInteger, nullable=False),
    )
