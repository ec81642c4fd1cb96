"""What a model can read: bytes of a picture, a sound, a film or a document to text, or to pictures for a
model with eyes.

Parsers run in processes of their own (:mod:`geminid.media.process`), never in the server's.
"""
