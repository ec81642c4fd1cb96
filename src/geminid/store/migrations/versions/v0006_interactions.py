"""Stored interactions, and what was said in them; stores of vectors, their files, and what is in these."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "interactions",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("wire", sa.String(16), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("depth", sa.BigInteger, nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("asked", sa.String(256), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("background", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("chain_bytes", sa.BigInteger, nullable=False),
        sa.Column("fault_code", sa.String(32), nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
        sa.Column("fault_field", sa.Text, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("cancelling", sa.BigInteger, nullable=False),
    )
    op.create_index("interactions_by_expiry", "interactions", ["expires_ms"])
    op.create_index("interactions_by_size", "interactions", ["project", "size_bytes"])
    op.create_index("interactions_by_status", "interactions", ["status", "owner"])
    op.create_table(
        "interaction_contents",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("kept", sa.LargeBinary, nullable=False),
        sa.Column("turns", sa.LargeBinary, nullable=False),
        sa.Column("steps", sa.LargeBinary, nullable=False),
        sa.Column("events", sa.LargeBinary),
        sa.Column("waiting", sa.LargeBinary),
    )
    op.create_table(
        "vector_stores",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(512), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("used_ms", sa.BigInteger, nullable=False),
        sa.Column("idle_ms_max", sa.BigInteger),
        sa.Column("expires_ms", sa.BigInteger),
        sa.Column("kept", sa.LargeBinary, nullable=False),
    )
    op.create_index("vector_stores_by_creation", "vector_stores", ["project", "created_ms", "id"])
    op.create_index("vector_stores_by_expiry", "vector_stores", ["expires_ms"])
    op.create_table(
        "vector_files",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("store", sa.String(64), primary_key=True),
        sa.Column("file", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(512), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attributes", sa.Text, nullable=False),
        sa.Column("piece_tokens", sa.BigInteger, nullable=False),
        sa.Column("overlap_tokens", sa.BigInteger, nullable=False),
        sa.Column("pieces", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("fault_code", sa.String(32), nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
        sa.Column("batch", sa.String(64), nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
    )
    op.create_index("vector_files_by_creation", "vector_files", ["project", "store", "created_ms", "file"])
    op.create_index("vector_files_by_status", "vector_files", ["status", "owner"])
    op.create_table(
        "vector_contents",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("store", sa.String(64), primary_key=True),
        sa.Column("file", sa.String(64), primary_key=True),
        sa.Column("dimensions", sa.BigInteger, nullable=False),
        sa.Column("texts", sa.LargeBinary, nullable=False),
        sa.Column("vectors", sa.LargeBinary, nullable=False),
    )
