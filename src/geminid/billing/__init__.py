"""The arithmetic of money and limits: what is bought, what it costs, whether it may run.

``prices`` is the price book, ``rating`` turns usage into cost, ``transfers``, ``balance`` and ``ledger``
are the accounts of a project and ``audit`` proves them, ``quota`` holds rates, ``budgets`` tells which
thresholds were crossed. Pure functions over frozen values: no IO, no await, no clock, no float. Times
are milliseconds since the epoch, UTC, and, like ids, parameters.
"""
