"""OpenAI's embeddings, files and batches."""

from collections.abc import Iterable
from typing import Any

from contract.bodies.remarks import UNSERVED, but
from contract.fields import Request, Row
from geminid.wire.openai import batches, embeddings, files


def embeddings_sdk() -> Iterable[Any]:
    from openai.types import embedding_create_params as params

    return (params.EmbeddingCreateParams,)


def batches_sdk() -> Iterable[Any]:
    from openai.types import batch_create_params as params

    return (params.BatchCreateParams,)


def files_sdk() -> Iterable[Any]:
    from openai.types import file_create_params as params

    return (params.FileCreateParams,)


EMBEDDINGS = Request(
    "POST /v1/embeddings",
    (embeddings.EmbeddingsRequest,),
    embeddings_sdk,
    remarks={"input": but(UNSERVED, "arrays of tokens")},
)
BATCHES = Request("POST /v1/batches", (batches.BatchCreate,), batches_sdk)
FILES = Request(
    "POST /v1/files",
    (),
    files_sdk,
    more=(
        Row("file", (), "a part of a form", "honoured"),
        Row("purpose", (), " ".join(f"`{each}`" for each in files.PURPOSES), "honoured"),
        Row("purpose", ("fine-tune",), "`fine-tune`", f"refused: 400 `{UNSERVED}`"),
        Row(
            "expires_after", (), "`expires_after[anchor]` and `expires_after[seconds]` of a form", "honoured"
        ),
        Row("expires_after.anchor", (), "`created_at`", "honoured"),
        Row("expires_after.seconds", (), f"integer {files.TTL_S_MIN} to {files.TTL_S_MAX}", "honoured"),
    ),
)
