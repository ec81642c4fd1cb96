"""Files from addresses, under rules that keep them out of private networks.

It knows no media type and no wire. Invariant: no byte is sent to a host that was not checked, and what is
left on disk is a whole file or none.
"""
