"""OpenAI's vector stores, which the search of files stands on."""

from collections.abc import Callable, Iterable
from typing import Any

from contract.bodies.remarks import less
from contract.fields import Request
from geminid.wire.openai import vector_stores as wire


def _sdk(module: str, name: str) -> Callable[[], Iterable[Any]]:
    def types() -> Iterable[Any]:
        import importlib

        return (getattr(importlib.import_module(f"openai.types.{module}"), name),)

    return types


VECTOR_STORES = (
    Request(
        "POST /v1/vector_stores",
        (wire.CreateRequest,),
        _sdk("vector_store_create_params", "VectorStoreCreateParams"),
    ),
    Request(
        "POST /v1/vector_stores/{id}",
        (wire.UpdateRequest,),
        _sdk("vector_store_update_params", "VectorStoreUpdateParams"),
    ),
    Request(
        "POST /v1/vector_stores/{id}/search",
        (wire.SearchRequest,),
        _sdk("vector_store_search_params", "VectorStoreSearchParams"),
        remarks={"rewrite_query": less("rewrite_query=as-sent")},
    ),
    Request(
        "POST /v1/vector_stores/{id}/files",
        (wire.AddRequest,),
        _sdk("vector_stores.file_create_params", "FileCreateParams"),
    ),
    Request(
        "POST /v1/vector_stores/{id}/file_batches",
        (wire.BatchRequest,),
        _sdk("vector_stores.file_batch_create_params", "FileBatchCreateParams"),
    ),
)
