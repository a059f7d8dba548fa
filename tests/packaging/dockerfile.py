"""Just enough of a Dockerfile's grammar: instructions, stages, exec form."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Instruction:
    """`COPY --from=build a b` has the name COPY, the flags {"from": "build"} and the text `a b`."""

    name: str
    flags: dict[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def exec_form(self) -> list[str]:
        """The command of an exec form; raises ValueError for a shell form."""
        command: Any = json.loads(self.text)
        assert isinstance(command, list)
        return command


def stages(text: str) -> list[list[Instruction]]:
    """The instructions of each stage, its FROM first."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found: list[list[Instruction]] = []
    for line in lines.replace("\\\n", " ").splitlines():
        if line.strip():
            instruction = _instruction(line.strip())
            if instruction.name == "FROM":
                found.append([])
            found[-1].append(instruction)
    return found


def _instruction(line: str) -> Instruction:
    name, _, rest = line.partition(" ")
    flags: dict[str, str] = {}
    while match := re.match(r"--([a-z-]+)=(\S+)\s+", rest.lstrip()):
        flags[match[1]] = match[2]
        rest = rest.lstrip()[match.end() :]
    return Instruction(name.upper(), flags, rest.strip())
