"""The acts: what a caller can have done. Creates ids and times and owns the rules of the product."""
