"""Routing tests: the gateway as it is, with scripted providers, a clock that waits for nobody, and seeded chance.

cases.py    *.test.yaml becomes frozen values, with every mistake at its place
stage.py    the parts around the real pipeline: transport, caller, key, clock
play.py     plays a case: its request, time after time, and what came of the last one
verdict.py  what was expected against what happened
report.py   for a person, and for a build server (JUnit)
"""
