"""Finds the code of a Lambda function on this machine (CDN-CFG-273 to 278, 301 to 303).

A folder is run where it lies, so that edits are seen. Inline code and zip files are written into
the state folder under a name made of their contents.
"""

import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from edgeproxy.errors import DefinitionError, Place, UsageError, reason
from edgeproxy.project.loaders.sam import SERVERLESS_FUNCTION
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Resource, Template
from edgeproxy.project.report import CheckFinding

__all__ = ["Code", "check_handler", "find_code", "find_layer"]

_SUFFIXES = {"python": (".py",), "nodejs": (".js", ".mjs", ".cjs")}


@dataclass(frozen=True, slots=True)
class Code:
    """The folder of a function's code and what to watch for changes."""

    root: Path
    watch: tuple[Path, ...] = ()
    inline: bool = False


def find_code(
    resource: Resource, template: Template, runtime: str, state_dir: Path
) -> Code | DefinitionError:
    """The code, or why there is none here: an error for whoever needs the function.

    Raises :class:`DefinitionError` for a path that does not exist.
    """
    if resource.type == SERVERLESS_FUNCTION:
        return _serverless_code(resource, template, runtime, state_dir)
    return _stored(resource, "Code", template, runtime, state_dir)


def find_layer(resource: Resource, template: Template, state_dir: Path) -> Code | DefinitionError:
    """What a layer holds, or why it is not here. Raises as :func:`find_code` does."""
    properties = resource.properties
    if resource.type == "AWS::Lambda::LayerVersion":
        return _stored(resource, "Content", template, "", state_dir)
    built = template.file.parent / ".aws-sam" / "build" / resource.logical_id
    if built.is_dir():
        properties.text("ContentUri", "")
        return Code(built.resolve(), (built.resolve(),))
    if not _is_text(properties, "ContentUri"):
        nested = properties.required_section("ContentUri")
        where = f"s3://{nested.text('Bucket')}/{nested.text('Key')}"
        nested.ignore("there is one version of the object", "Version")
        nested.finish()
        return _not_here(properties, "ContentUri", where)
    return _local(properties, "ContentUri", template, state_dir)


def _stored(
    resource: Resource, name: str, template: Template, runtime: str, state_dir: Path
) -> Code | DefinitionError:
    """What the mapping ``name`` describes, or the local path that the AWS CLI would upload."""
    properties = resource.properties
    asset = _asset_of_metadata(resource, template, name)
    nested = properties.section(name) if not _is_text(properties, name) else None
    if nested is None:
        return _local(properties, name, template, state_dir)
    nested.ignore("there is one version of the object", "S3ObjectVersion")
    nested.ignore("nothing is encrypted here", "SourceKMSKeyArn")
    nested.ignore("the code is read where it lies", "S3ObjectStorageMode")
    source = _nested_code(nested, asset, template, runtime, state_dir)
    nested.finish()
    return source


def _nested_code(
    nested: Section, asset: Path | None, template: Template, runtime: str, state_dir: Path
) -> Code | DefinitionError:
    """The code that the mapping ``Code`` names."""
    if nested.has("ZipFile"):
        return _inline(nested.text("ZipFile"), runtime, state_dir)
    if nested.has("ImageUri"):
        return _no_image(nested, "ImageUri")
    bucket, key = nested.text("S3Bucket"), nested.text("S3Key")
    asset = asset or template.assets.get(key)
    if asset is None:
        return _not_here(nested, "S3Key", f"s3://{bucket}/{key}")
    return _at(asset, nested.place("S3Key"), state_dir)


def _serverless_code(
    resource: Resource, template: Template, runtime: str, state_dir: Path
) -> Code | DefinitionError:
    properties = resource.properties
    if properties.has("InlineCode"):
        return _inline(properties.text("InlineCode"), runtime, state_dir)
    if properties.has("ImageUri") or properties.text("PackageType", "Zip") == "Image":
        return _no_image(properties, "ImageUri")
    if not properties.has("CodeUri"):
        raise properties.error(
            "",
            "CodeUri is missing",
            rule="CDN-CFG-273",
            remedy="name the folder of the code, relative to the template",
        )
    if not _is_text(properties, "CodeUri"):
        nested = properties.required_section("CodeUri")
        where = f"s3://{nested.text('Bucket')}/{nested.text('Key')}"
        nested.ignore("there is one version of the object", "Version")
        nested.finish()
        return _not_here(properties, "CodeUri", where)
    built = _built(resource, template)
    if built is not None:
        return built
    return _local(properties, "CodeUri", template, state_dir)


def _is_text(section: Section, name: str) -> bool:
    return isinstance(section.source.resolve(section.values.get(name), section.place(name)), str)


def _local(
    section: Section, name: str, template: Template, state_dir: Path
) -> Code | DefinitionError:
    text = section.text(name)
    if text.startswith("s3://"):
        return _not_here(section, name, text)
    return _at(template.file.parent / text, section.place(name), state_dir)


def _at(path: Path, place: Place, state_dir: Path) -> Code:
    if path.is_dir():
        root = path.resolve()
        return Code(root, (root,))
    if path.is_file() and zipfile.is_zipfile(path):
        return Code(_unpacked(path, state_dir), (path.resolve(),))
    raise DefinitionError(
        f"there is no folder or zip file {path}",
        place=place,
        rule="CDN-CFG-273",
        remedy="paths are relative to the template",
    )


def _not_here(section: Section, name: str, where: str) -> DefinitionError:
    section.source.notes.ignored(
        section.place(name), f"the code lies in {where}, so this function cannot run here"
    )
    return section.error(
        name,
        f"the code lies in {where}, not on this machine",
        rule="CDN-CFG-276",
        remedy="name a local folder, or load what the build wrote (sam build, cdk synth)",
    )


def _no_image(section: Section, name: str) -> DefinitionError:
    section.source.notes.ignored(
        section.place(name), "container images do not run here, so this function cannot"
    )
    return section.error(
        name,
        "container images do not run here",
        rule="CDN-CFG-273",
        remedy="give a folder with the image's files by --image FUNCTION=FOLDER, or package the "
        "function as a folder with PackageType Zip",
    )


def _asset_of_metadata(resource: Resource, template: Template, name: str) -> Path | None:
    """CDK's own note of where the code came from, tried first (CDN-CFG-303)."""
    path = resource.metadata.get("aws:asset:path")
    if resource.metadata.get("aws:asset:property") != name or not isinstance(path, str):
        return None
    folder = template.file.parent / path
    return folder if folder.exists() else None


# what sam build wrote


def _built(resource: Resource, template: Template) -> Code | None:
    """The output of ``sam build`` while it is newer than the sources (CDN-CFG-275, 278)."""
    properties = resource.properties
    source = (template.file.parent / properties.text("CodeUri")).resolve()
    folder = template.file.parent / ".aws-sam" / "build"
    built, stamp = folder / resource.logical_id, folder / "template.yaml"
    bundled = resource.metadata.get("BuildMethod") == "esbuild"
    if built.is_dir() and stamp.is_file():
        built_at = stamp.stat().st_mtime_ns
        if bundled or all(file.stat().st_mtime_ns <= built_at for file in _sources(source)):
            return Code(built.resolve(), (built.resolve(), source))
    if bundled:
        raise properties.error(
            "CodeUri",
            f"{resource.logical_id} is built with esbuild and has no build output",
            rule="CDN-CFG-278",
            remedy="run sam build",
        )
    return None


def _sources(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = [
            name for name in folders if not name.startswith(".") and name != "node_modules"
        ]
        yield from (path for name in files if (path := Path(root, name)).is_file())


# what is written into the state folder


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UsageError(
            f"{folder}: code cannot be kept there: {reason(error)}",
            remedy="make room for it, or give another --state-dir",
        ) from error


def _inline(text: str, runtime: str, state_dir: Path) -> Code:
    """Inline code is the module ``index`` (CDN-CFG-276)."""
    name = "index.py" if runtime.startswith("python") else "index.js"
    folder = state_dir / "code" / blake2b(f"{name}\n{text}".encode(), digest_size=16).hexdigest()
    file = folder / name
    if not file.exists():
        # Another process may be writing the same file: each writes its own, the last one stays.
        with _kept_in(folder):
            handle, temporary = tempfile.mkstemp(dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(temporary).replace(file)
    return Code(folder.resolve(), inline=True)


def _unpacked(archive: Path, state_dir: Path) -> Path:
    folder = state_dir / "code" / blake2b(archive.read_bytes(), digest_size=16).hexdigest()
    if not folder.exists():
        with _kept_in(folder.parent), zipfile.ZipFile(archive) as opened:
            temporary = Path(tempfile.mkdtemp(dir=folder.parent))
            opened.extractall(temporary)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    return folder.resolve()


def check_handler(runtime: str, handler: str, code: Code, place: Place) -> Iterator[CheckFinding]:
    """CDN-CFG-277: the handler's file is there."""
    family = runtime.rstrip("0123456789.x")
    if family not in _SUFFIXES:
        return
    module, dot, _ = handler.rpartition(".")
    if not dot:
        yield CheckFinding(
            "CDN-CFG-277", place, f"Bad handler {handler!r}.", "write it as file.function"
        )
        return
    paths = [module] if family == "nodejs" else [module, module.replace(".", "/")]
    names = [f"{path}{suffix}" for path in paths for suffix in _SUFFIXES[family]]
    packages = [f"{path}/__init__.py" for path in paths if family == "python"]
    if not any((code.root / name).is_file() for name in [*names, *packages]):
        yield CheckFinding(
            "CDN-CFG-277",
            place,
            f"Unable to import module {module!r}: {code.root} has no {' or '.join(names)}.",
            "the handler is the path of the file in the code folder, a dot, and the function",
        )
