"""An image without Docker: a stage's instructions carried out on a copy of this machine that is thrown away.

In a mount namespace of its own an overlay lies over the machine's files, so that each RUN line works as it stands
and changes nothing outside. Two things are not the base image's: the distribution is this machine's, and the
packages that RUN lines would download for minutes are there before, linked from the tests' environment: those of
the requirements, and no other. Needs root, as `docker build` does.
"""

from __future__ import annotations

import os
import shlex
import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from .dockerfile import ROOT, Instruction, Stage

#: What pip needs to be there itself.
TOOLS = ("pip", "setuptools")
TMP = """
mount -t tmpfs -o mode=1777 tmpfs tmp
# Their folders are root's alone on some machines, and may lie in /tmp themselves.
for folder in {base} {packages}; do
    mkdir -p .$folder && mount --bind $folder .$folder && mount -o remount,bind,ro .$folder
    while [ $folder != / ]; do folder=$(dirname $folder); chmod a+rx .$folder; done
done
"""
BEGIN = """
set -e
mount --make-rprivate /
mount -t tmpfs -o size=4g scratch {scratch}
mkdir {scratch}/upper {scratch}/work {scratch}/image
mount -t overlay -o lowerdir=/,upperdir={scratch}/upper,workdir={scratch}/work overlay {scratch}/image
cd {scratch}/image
mount --rbind /dev dev
mount -t proc proc proc
mount --rbind /sys sys
{tmp}
rm -rf var/lib/steiner opt/steiner opt/environment
sed -i /^steiner:/d etc/passwd etc/group
"""
RUN = "env -i {environment} {chroot} sh -c {command}"
SERVE = """
{tmp}
mkdir -p {volume}
mount --bind .{volume} .{volume}
mount -o remount,bind,ro {scratch}/image
cd {scratch}/image
exec env -i {environment} {chroot} {as_user} {command}
"""


def link_environment(requirements: Path, folder: Path) -> None:
    """A Python environment in `folder` with links to the packages of the requirements, where they are installed."""
    site = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    site.mkdir(parents=True)
    (folder / "bin").mkdir()
    python = Path(sys.base_prefix) / "bin" / "python3"
    for name in ("python", "python3"):
        (folder / "bin" / name).symlink_to(python)
    (folder / "pyvenv.cfg").write_text(f"home = {python.parent}\ninclude-system-site-packages = false\n")
    pip = folder / "bin" / "pip"
    pip.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n')
    pip.chmod(0o755)
    lines = [line for line in requirements.read_text().splitlines() if line and not line.startswith("#")]
    wanted = map(Requirement, lines)
    names = [line.name for line in wanted if line.marker is None or line.marker.evaluate()]
    for name in (*names, *TOOLS):
        found = distribution(name)
        files = found.files or []
        for top in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
            link = site / top
            if not link.exists():
                link.symlink_to(Path(str(found.locate_file(top))))


class ScratchImage:
    """A stage, ready to be built in `folder`, which must be outside of the repository."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self._stage = stage
        self._scratch = folder / "scratch"
        self._scratch.mkdir()
        self._environment = folder / "environment"
        link_environment(ROOT / "deploy" / "requirements-cpu.txt", self._environment)
        self._variables: dict[str, str] = {}
        self._folder = "/"

    def run(self, arguments: list[str], **variables: str) -> list[str]:
        """Command that builds the image and runs it as `docker run --read-only --tmpfs /tmp IMAGE arguments` does.

        Between the two it prints the versions of all packages that are there.
        """
        built = self._built()
        listing = RUN.format(
            environment=self._words(), chroot=self._chroot(), command="'pip list --format=freeze'"
        )
        user, group = self._stage.last_of("USER").value.split(":")
        self._variables |= variables
        command = shlex.join([*self._stage.last_of("ENTRYPOINT").arguments, *arguments])
        serve = SERVE.format(
            tmp=self._tmp(),
            scratch=self._scratch,
            volume=self._stage.last_of("VOLUME").value,
            environment=self._words(),
            chroot=self._chroot(),
            as_user=f"setpriv --reuid {user} --regid {group} --clear-groups --no-new-privs --bounding-set -all",
            command=command,
        )
        return ["unshare", "--mount", "bash", "-c", f"{built}\n{listing}{serve}"]

    def _built(self) -> str:
        self._variables = {"PATH": "/opt/environment/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self._folder = "/"
        begin = BEGIN.format(tmp=self._tmp(), scratch=self._scratch)
        lines = [begin, f"cp -a {self._environment} opt/environment"]
        lines += [self._carried_out(instruction) for instruction in self._stage.instructions]
        return "\n".join(lines)

    @staticmethod
    def _tmp() -> str:
        """An empty /tmp, and behind it what the environment links to."""
        return TMP.format(base=sys.base_prefix, packages=Path(os.fspath(sys.prefix)).resolve())

    def _carried_out(self, instruction: Instruction) -> str:
        match instruction.name:
            case "RUN":
                # The words of the Dockerfile, and the tests' log has them before what they print.
                command = shlex.quote(instruction.value)
                return f"echo RUN {command}\n" + RUN.format(
                    environment=self._words(), chroot=self._chroot(), command=command
                )
            case "WORKDIR":
                self._folder = instruction.value
                return f"mkdir -p .{self._folder}"
            case "COPY":
                *sources, target = instruction.value.split()
                where = f".{self._folder}/{target}"
                return "\n".join(f"cp -a {ROOT / source} {where}" for source in sources)
            case "ENV":
                self._variables |= instruction.assignments
        return ""

    def _words(self) -> str:
        return shlex.join(f"{name}={value}" for name, value in self._variables.items())

    def _chroot(self) -> str:
        return f"unshare --root=. --wd={self._folder}"
