"""What the site has beyond the folder docs: pages made of files of the project, of docstrings, and of declared options.

MkDocs calls these functions (https://www.mkdocs.org/user-guide/configuration/#hooks).
"""

import posixpath
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

PAGES = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "benchmarks.md": "benchmarks/README.md",
    "house.md": "CONTRIBUTING.md",
}
"""Pages of the site that are files of the project."""

LINK = re.compile(r"(?<!\!)\[([^\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    made = {name: (ROOT / path).read_text(encoding="utf-8") for name, path in PAGES.items()}
    made |= {"reference/commands.md": commands(), "reference/python.md": names()}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page, config: MkDocsConfig, files: Files) -> str:
    """Links between files of the project become links between pages; to what has no page, the path as it is in the project."""
    here = PAGES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    names = {path: name for name, path in PAGES.items()}

    def linked(found: re.Match) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
        if path in names:
            return f"[{text}]({names[path]}{anchor})"
        if path.startswith("docs/") and files.get_file_from_path(path[5:]):
            return f"[{text}]({path[5:]}{anchor})"
        inside = text.strip("`")
        return f"`{path}`" if inside in target else f"{text} (`{path}`)"

    markdown = re.sub(r"\]\(docs/([^)\s]+\.png)\)", r"](\1)", markdown)  # figures of README.md
    return LINK.sub(linked, markdown)


def commands() -> str:
    """Every command with its options, as the program declares them."""
    import typer
    from typer.cli import get_docs_for_click

    from allpay.cli import app

    command = typer.main.get_command(app)
    with command.make_context("allpay", [], resilient_parsing=True) as context:
        text = get_docs_for_click(obj=command, ctx=context, name="allpay", title="Commands")
    return re.sub(r"\[b\](.*?)\[/b\]", r"**\1**", text)  # marks of the terminal


def names() -> str:
    """Every public name of the package, by where it lives."""
    import allpay

    parts = ["# Python", "Names of the package `allpay`. Options of each are those that its docstring lists."]
    parts += [f"::: {home}.{name}" for home, several in allpay._HOMES.items() for name in several if name != "LEARNERS"]
    return "\n\n".join(parts)
