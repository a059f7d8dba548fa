"""What a provider has kept of an answer: `/v1/responses/{id}`, and what stands under it.

It is asked for by its handle, of the one who issued that, and passed through. Callers get handles that are good for
them alone.
"""
