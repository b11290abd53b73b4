"""What `mkdocs build` makes besides the pages in docs/: the reference of every command, and the
parts of pages that are worked out (`<!-- build: NAME -->`), so that neither can be out of date."""

from __future__ import annotations

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docsite import formulas, parts, reference

COMMANDS = "Commands"  # the section of the navigation that the commands' pages go into


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Every command has its page in the navigation, after those that are written by hand."""
    for section in config.nav or []:
        if COMMANDS in section:
            section[COMMANDS] += [{f"bench {name}": page_of(name)} for name in reference.names()]
    formulas.configured(config.mdx_configs)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name in reference.names():
        files.append(File.generated(config, page_of(name), content=reference.page(name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    return parts.filled(markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A wide table scrolls in a box of its own, which the keyboard reaches."""
    boxed = html.replace("<table>", '<div class="wide" tabindex="0"><table>')
    return boxed.replace("</table>", "</table></div>")


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """The theme's search is a dialogue without a name for those who cannot see it."""
    return output.replace('class="md-search" ', 'class="md-search" aria-label="Search" ')


def page_of(command: str) -> str:
    return f"commands/{command}.md"
