"""What app.py puts together, by how long it lives:

    formats.py   always: the wire formats that are spoken
    parts.py     as long as the process: store, keys, ledger, limits, health, metrics, connections
    service.py   as long as one configuration: table, addresses, stages, models
    process.py   the process itself: its store made ready, one worker or several, its exit code

Plain constructor calls in the order of the data flow, here and in app.py and nowhere else.
"""
