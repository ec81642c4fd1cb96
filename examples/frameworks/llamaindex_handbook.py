"""LlamaIndex: questions to a folder, with the passages that were read.

pip install llama-index-core llama-index-llms-openai-like llama-index-embeddings-openai-like
"""

import os
import sys
from pathlib import Path

from llama_index.core import Settings, SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.node_parser import SentenceSplitter
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

URL = os.environ.get("GEMINID_URL", "http://127.0.0.1:8080")
MODEL = os.environ.get("GEMINI_MODEL", "gemini-3.1-flash-lite")
HANDBOOK = Path(__file__).parents[1] / "media" / "handbook"
QUESTIONS = ("What may a hotel in London cost?", "I lost my key card. Whom do I tell?")


def main(folder: Path) -> None:
    Settings.llm = OpenAILike(
        model=MODEL,
        api_base=f"{URL}/v1",
        api_key="anything",
        is_chat_model=True,
        context_window=8192,
        max_tokens=60,
        temperature=0,
    )
    Settings.embed_model = OpenAILikeEmbedding(
        model_name="gemini-embedding-001", api_base=f"{URL}/v1", api_key="anything", embed_batch_size=100
    )
    documents = SimpleDirectoryReader(folder).load_data()
    splitter = SentenceSplitter(chunk_size=120, chunk_overlap=0)
    index = VectorStoreIndex.from_documents(documents, transformations=[splitter])
    engine = index.as_query_engine(similarity_top_k=2)
    for question in QUESTIONS:
        answer = engine.query(question)
        print(f"{question}\n  {answer}")
        for node in answer.source_nodes:
            print(f"  [{node.score:.2f}] {node.metadata['file_name']}: {' '.join(node.text.split())[:80]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HANDBOOK)
