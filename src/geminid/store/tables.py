"""The tables, as they are after the last migration. A test holds the two against each other.

Times are microseconds since 1970 and sizes are bytes, both whole numbers in every database.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table, Text

metadata = MetaData()

files = Table(
    "files",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("display_name", String(512), nullable=False),
    Column("mime_type", String(255), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256_hex", String(64), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("duration_ms", BigInteger),
    Column("fault", Text, nullable=False),
    Column("blob", String(64), nullable=False),
    Index("files_by_creation", "project", "created_us", "id"),
    Index("files_by_expiry", "expires_us"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("file_id", String(40), nullable=False),
    Column("display_name", String(512), nullable=False),
    Column("mime_type", String(255), nullable=False),
    Column("file_name", Text, nullable=False),
    Column("declared_bytes", BigInteger),
    Column("received_bytes", BigInteger, nullable=False),
    Column("reserved_bytes", BigInteger, nullable=False),
    Column("touched_us", BigInteger, nullable=False),
    Column("blob", String(64), nullable=False),
    Index("uploads_by_project", "project"),
    Index("uploads_by_touch", "touched_us"),
)
