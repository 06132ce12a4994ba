"""The pages of docs/own: their files and their commands, as they stand there."""

import re
import shlex

from tests.docs.gallery import DOCS

OWN = DOCS / "own"
# What makes a fit short.
SHORT = (
    "dataset.batch_size=64",
    "model.hidden_layers=1",
    "trainer.max_steps=20",
    "trainer.accelerator=cpu",
)
_FILE = re.compile(r"`([\w/]+\.(?:py|yaml))`$")


def read(kind):
    """The files that the page of ``kind`` has a reader write, by name, and the words of its commands."""
    files, commands, name = {}, [], None
    text = (OWN / f"{kind}.md").read_text()
    for language, block, line in re.findall(r"^```(\w+)\n(.*?)^```$|^([^\n]+)$", text, re.S | re.M):
        if found := _FILE.search(line):
            name = found[1]
        elif language in ("python", "yaml"):
            assert name is not None
            files[name] = files.get(name, "") + "\n\n" * (name in files) + block
        elif language == "sh":
            commands += [shlex.split(words) for words in block.splitlines()]
    return files, commands


def write(folder, *kinds):
    """Writes the files of the pages of ``kinds`` below ``folder``."""
    for kind in kinds:
        for name, text in read(kind)[0].items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
