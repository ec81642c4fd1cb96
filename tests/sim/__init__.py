"""Random histories of money: real processes on a real database, killed at random, proved afterwards.

``plan`` is what a seed decides, ``worker`` is a process that does its part with the real service and an
engine of straw, ``zygote`` starts processes, ``rounds`` kills them and watches, ``proof`` is what must hold.
A history is one project: what was entered for it, asked of it, and what became of that. Many histories
share a round, that is the lives of eight processes.
"""
