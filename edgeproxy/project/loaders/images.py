"""Functions of container images: a folder has the image's files, and its command is run there.

The command speaks the Runtime API by itself, as in the image: ``python -m awslambdaric app.f``.
What it needs must be installed on this machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeproxy.errors import UsageError
from edgeproxy.project.loaders.code import Code
from edgeproxy.project.loaders.section import Section

__all__ = ["Image", "find_image"]

_TASK = "/var/task"


@dataclass(frozen=True, slots=True)
class Image:
    """The folder in the image's place and what is run in it."""

    code: Code
    command: tuple[str, ...]


def find_image(
    properties: Section, images: Mapping[str, Path], name: str, logical_id: str
) -> Image | None:
    """The image of a function that ``--image`` gives a folder for; None for all others.

    Raises ``UsageError`` for a folder that is not there, ``DefinitionError`` without a command.
    """
    folder = images.get(name) or images.get(logical_id)
    if folder is None:
        return None
    if not folder.is_dir():
        raise UsageError(
            f"--image {name}: there is no folder {folder}",
            remedy="give the folder with the image's files",
        )
    properties.text("PackageType", "Zip")
    properties.section("Code")
    properties.text("ImageUri", "")
    config = properties.section("ImageConfig")
    command: tuple[str, ...] = ()
    if config is not None:
        command = (*config.texts("EntryPoint"), *config.texts("Command"))
        config.ignore("the command is run in the folder of --image", "WorkingDirectory")
        config.finish()
    if not command:
        raise properties.error(
            "ImageConfig",
            "the image's own command is not known here",
            rule="LR-094",
            remedy="say it in ImageConfig: EntryPoint and Command",
        )
    root = folder.resolve()
    return Image(Code(root, (root,)), tuple(word.replace(_TASK, str(root)) for word in command))
