"""The service in force, and the older ones as long as a request that began with them runs."""

from __future__ import annotations

import asyncio

from gaiarouter.assembly.parts import Parts
from gaiarouter.server.handler import DataPlane, Service


class Serving:
    """Which addresses requests may go to follows from it: those of every service that a request still holds."""

    def __init__(self, first: Service, parts: Parts, data_plane: DataPlane) -> None:
        self.service = first
        self._parts = parts
        self._data_plane = data_plane
        self._in_use = [first]
        self._leaving: set[asyncio.Task[None]] = set()
        self._permit()

    def swap(self, service: Service) -> None:
        """One step for new requests; those that run keep what they began with."""
        before, self.service = self.service, service
        self._parts.adopt(before.settings, service.settings)
        self._in_use.append(service)
        self._permit()
        leaving = asyncio.create_task(self._retire(before), name="older configuration")
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _retire(self, service: Service) -> None:
        await self._data_plane.until_left(service)
        self._in_use.remove(service)
        self._permit()

    def _permit(self) -> None:
        self._parts.permit(frozenset[str]().union(*(service.addresses for service in self._in_use)))
