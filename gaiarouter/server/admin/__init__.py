"""The control plane, a file a resource:

    operation.py   what an endpoint is: method, path, permission, schemas, and the function that does it
    access.py      who is calling, and what they may
    check.py       bodies and queries against their schemas: every wrong field, in one answer
    plane.py       serves operations: access, then check, then the function, then the answer

To add an endpoint, add its Operation to a resource's list; routes, permissions, validation and /openapi.json follow.
"""
