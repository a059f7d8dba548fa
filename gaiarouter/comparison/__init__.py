"""Two routing tables side by side.

values.py    settings as flat names and words, so that they can be compared
tables.py    what differs: providers, routes, other settings, and where each model goes
traffic.py   with the usage of a day: which share of requests would go elsewhere, and at what price
report.py    for a person, and for programs
"""
