"""Batches at work: the lines of jobs, answered below everything else, each once.

What a job is and who may see it is :mod:`geminid.service.batches`'s.
"""
