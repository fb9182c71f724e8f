"""The places a value can come from, read raw: flags, systemd credentials, environment, TOML file.

Each gives raw values with a note of where they were found. Faults are collected, not raised, so that a person sees
all of them at once.
"""

import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from visiona.config.keys import PREFIX, STATE_DIR, Key, all_keys, did_you_mean
from visiona.config.settings import LATER, SECTIONS

MAX_FILE_BYTES = 1024 * 1024
"""A configuration beyond a mebibyte is a mistake, such as a log file named in its place."""

OTHER_VARIABLES = ("VISIONA_AGENT_",)
"""Variables of ours that this configuration does not read."""


class Raw(NamedTuple):
    """A value as it was found, and where."""

    value: object
    origin: str


class Findings:
    """What the sources said, and what is wrong with it."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.warnings: list[str] = []
        self.raw: dict[str, Raw] = {}

    def add(self, name: str, raw: Raw) -> None:
        """Keeps a value unless a source asked before (a stronger one) gave one."""
        self.raw.setdefault(name, raw)


def read_flags(assignments: Sequence[str], findings: Findings) -> None:
    """`section.key=value` from the command line; of two for one key the last counts, as with any option."""
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            findings.faults.append(f"--set {assignment}: write --set section.key=value")
        elif (section := name.partition(".")[0]) in LATER:
            findings.warnings.append(f"--set {name}: {_not_yet(section)}")
        elif name not in all_keys():
            findings.faults.append(f"--set {name}: no such key{did_you_mean(name, all_keys())}")
        else:
            # Nothing is stronger than a flag, but a later one.
            findings.raw[name] = Raw(text, f"flag --set {name}")


def read_credentials(folder: Path | None, findings: Findings) -> None:
    """Secrets that systemd hands over as files named like `database_url`."""
    if folder is None:
        return
    for key in all_keys().values():
        if key.is_secret and (folder / key.credential).is_file():
            _add_secret_file(
                key, folder / key.credential, f"credential {key.credential}", findings, private=True
            )


def read_environment(environ: Mapping[str, str], findings: Findings) -> None:
    """`VISIONA_<SECTION>_<KEY>`, and for a secret its `_FILE` twin, which holds a path."""
    known = {"VISIONA_CONFIG", "VISIONA_STATE_DIR"}
    for key in all_keys().values():
        twin = key.environment + "_FILE"
        known |= {key.environment, twin} if key.is_secret else {key.environment}
        if key.is_secret and twin in environ:
            if key.environment in environ:
                findings.faults.append(f"{key.environment} and {twin} are both set; keep one of them")
            _add_secret_file(key, Path(environ[twin]), f"environment {twin}", findings)
        elif key.environment in environ:
            findings.add(key.name, Raw(environ[key.environment], f"environment {key.environment}"))
    ours = tuple(f"{PREFIX}{section.upper()}_" for section in SECTIONS)
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known or name.startswith(OTHER_VARIABLES):
            continue
        if name.startswith(ours):
            findings.faults.append(f"environment {name}: no such setting{did_you_mean(name, known)}")
            continue
        section = name.removeprefix(PREFIX).partition("_")[0].lower()
        why = _not_yet(section) if section in LATER else f"no such setting{did_you_mean(name, known)}"
        # Not a fault: the name may be somebody else's.
        findings.warnings.append(f"environment {name}: {why}")


def read_file(path: Path, findings: Findings) -> None:
    """A TOML file: `state_dir` above, then sections."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            findings.faults.append(f"{path}: larger than {MAX_FILE_BYTES} bytes; is this the right file?")
            return
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        findings.faults.append(f"{path}: cannot be read ({error.strerror})")
        return
    except (ValueError, RecursionError) as error:
        # ValueError: not UTF-8, not TOML, or a number of thousands of digits.
        findings.faults.append(f"{path}: not valid TOML: {error}")
        return
    for name, value in document.items():
        if name == STATE_DIR:
            findings.add(name, Raw(value, f"file {path}"))
        elif name in LATER:
            findings.warnings.append(f"{path}: [{name}]: {_not_yet(name)}")
        elif name not in SECTIONS:
            what = "section" if isinstance(value, dict) else "key"
            findings.faults.append(
                f"{path}: no such {what}: {name}{did_you_mean(name, [*SECTIONS, STATE_DIR])}"
            )
        elif not isinstance(value, dict):
            findings.faults.append(f"{path}: {name} is a section; write [{name}] and its keys below")
        else:
            _read_section(path, name, value, findings)


def _not_yet(section: str) -> str:
    return f"nothing reads it yet: it is for {LATER[section]}, which this version does not have"


def _read_section(path: Path, section: str, values: Mapping[str, object], findings: Findings) -> None:
    keys = all_keys()
    siblings = [name.partition(".")[2] for name in keys if name.startswith(f"{section}.")]
    for key, value in values.items():
        name = f"{section}.{key}"
        if name not in keys:
            findings.faults.append(f"{path}: [{section}] has no key {key}{did_you_mean(key, siblings)}")
            continue
        if keys[name].is_secret:
            _warn_if_readable(path, f"it holds {name}", findings)
        findings.add(name, Raw(value, f"file {path}"))


def _add_secret_file(key: Key, path: Path, origin: str, findings: Findings, *, private: bool = False) -> None:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        findings.faults.append(f"{key.name}: {path} cannot be read ({error.strerror})")
        return
    except UnicodeDecodeError:
        findings.faults.append(f"{key.name}: {path} holds no text")
        return
    if not private:
        _warn_if_readable(path, f"it is {key.name}", findings)
    findings.add(key.name, Raw(text, origin))


def _warn_if_readable(path: Path, why: str, findings: Findings) -> None:
    if path.stat().st_mode & stat.S_IROTH:
        warning = f"{path} can be read by everybody and {why}: chmod o-r {path}"
        if warning not in findings.warnings:
            findings.warnings.append(warning)
