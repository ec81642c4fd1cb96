"""The catalogue: which models there are, where their weights come from, and how to get them.

``catalog`` names them (from ``models.toml``), ``served`` is the set that one process offers,
``reference`` reads what a person typed, ``weights`` makes a card from a file on disk, ``pull``
brings weights here. The room knows no engine and no wire; it prints nothing. Its invariant:
weights are visible in the cache only after every byte of them was verified.
"""
