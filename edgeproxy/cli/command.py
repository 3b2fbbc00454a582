"""The type of argparse's collection of commands, which argparse itself leaves unnamed."""

import argparse
from typing import TYPE_CHECKING, TypeAlias

__all__ = ["Commands"]

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = object
