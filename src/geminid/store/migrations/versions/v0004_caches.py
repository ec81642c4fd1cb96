"""Cached contents; of usage, what was cached by modality, what that saved, and for which cached contents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_CACHED = tuple(f"cached_{kind}_tokens" for kind in ("image", "video", "audio", "document"))


def upgrade() -> None:
    """Make the tables of cached contents, and the columns that tell of them."""
    op.add_column("usage", sa.Column("verb", sa.String(16), nullable=False, server_default="generate"))
    op.add_column("usage", sa.Column("cache", sa.String(40), nullable=False, server_default=""))
    for table in ("usage", "usage_hours"):
        for name in (*_CACHED, "saved_nano"):
            op.add_column(table, sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    used = sa.text("cache <> ''")
    op.create_index("usage_by_cache", "usage", ["project", "cache"], sqlite_where=used, postgresql_where=used)
    op.create_table(
        "caches",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("asked", sa.String(256), nullable=False),
        sa.Column("display_name", sa.String(512), nullable=False),
        sa.Column("key_id", sa.String(40), nullable=False),
        sa.Column("key_name", sa.String(128), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("image_tokens", sa.BigInteger, nullable=False),
        sa.Column("video_tokens", sa.BigInteger, nullable=False),
        sa.Column("audio_tokens", sa.BigInteger, nullable=False),
        sa.Column("document_tokens", sa.BigInteger, nullable=False),
        sa.Column("nano_per_million", sa.BigInteger),
        sa.Column("holds", sa.BigInteger, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("updated_ns", sa.BigInteger, nullable=False),
        sa.Column("expires_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("caches_by_creation", "caches", ["project", "created_ns", "id"])
    op.create_index("caches_by_expiry", "caches", ["expires_ns"])
    op.create_table(
        "cache_contents",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
