"""A page that needs no other file: its style, tables and pictures are inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gail.report.charts import theme

PICTURE_WIDTH = 1280  # pixels at most
COLOURS = 128  # of a picture

STYLE = """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
 font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1000px;margin:0 auto;padding:40px 24px 56px}
h1{font-size:28px;line-height:1.2;margin:0;letter-spacing:-.01em}
h2{font-size:17px;margin:40px 0 12px}
p{margin:8px 0}
.quiet,figcaption,footer{color:var(--muted)}
figcaption,footer,.small{font-size:13px}
footer{margin-top:48px;padding-top:16px;border-top:1px solid var(--line)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;
 margin:24px 0 0}
.tile{border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.tile b{display:block;font-size:22px;font-weight:600;line-height:1.25;
 font-variant-numeric:tabular-nums}
.tile span{color:var(--muted);font-size:13px}
.wide{overflow-x:auto}
.wide+.wide{margin-top:20px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}
th,td{padding:6px 14px 6px 0;text-align:right;border-bottom:1px solid var(--line);
 white-space:nowrap}
th{color:var(--muted);font-weight:500}
th:last-child,td:last-child{padding-right:0}
.words th,.words td,th:first-child,td:first-child{text-align:left}
td.long{white-space:normal;overflow-wrap:anywhere}
.words td:first-child{color:var(--muted);width:1%}
.columns,.pairs,.sheets{display:grid;gap:16px 24px}
.columns{grid-template-columns:repeat(auto-fit,minmax(260px,1fr))}
.pairs{align-items:end;grid-template-columns:repeat(auto-fit,minmax(380px,1fr))}
.sheets{margin-top:24px;grid-template-columns:repeat(auto-fit,minmax(220px,1fr))}
figure{margin:0}
section>figure{margin:20px 0}
img{display:block;max-width:100%;max-height:680px;border-radius:8px}
.chart{display:block;width:100%;height:auto}
.chart text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--muted)}
.bar{display:flex;height:14px;border-radius:7px;overflow:hidden;margin:8px 0}
.key i{display:inline-block;width:10px;height:10px;border-radius:3px;margin:0 6px 0 0}
.key span{margin-right:18px;white-space:nowrap}
summary{cursor:pointer;color:var(--muted)}
code{font:13px ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}
strong.bad{color:var(--s1)}
"""


def page(title: str, subtitle: str, parts: Sequence[str]) -> str:
    """A whole HTML document.

    Args:
        title: the heading.
        subtitle: a line below it.
        parts: HTML, one after another.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{theme()}{STYLE}</style></head>\n"
        f'<body><main><h1>{escape(title)}</h1><p class="quiet">{escape(subtitle)}</p>\n'
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A heading and what stands below it; nothing where that is empty."""
    content = "".join(parts)
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def tiles(values: Mapping[str, str]) -> str:
    """A few numbers, large, each with its name."""
    made = (
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for name, value in values.items()
    )
    return f'<div class="tiles">{"".join(made)}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of numbers; its first column is words."""
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><tr>{cells}</tr>{lines}</table></div>'


def pairs(values: Mapping[str, str]) -> str:
    """Names and what they stand for, a line each."""
    lines = "".join(
        f'<tr><td>{escape(name)}</td><td class="long">{escape(value)}</td></tr>'
        for name, value in values.items()
    )
    return f'<table class="words">{lines}</table>'


def figure(content: str, caption: str = "") -> str:
    """A chart or a picture, with words below it."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{content}{below}</figure>"


def picture(source: Path | NDArray[np.uint8], words: str, width: int = PICTURE_WIDTH) -> str:
    """A picture, put into the page as PNG of fewer pixels and colours.

    Args:
        source: a file of any format that Pillow reads, or pixels (height, width, 3).
        words: for those who cannot see it.
        width: pixels at most.
    """
    if isinstance(source, Path):
        with Image.open(source) as image:
            small = image.convert("RGB")
    else:
        small = Image.fromarray(source)
    if small.width > width:
        small = small.resize((width, round(small.height * width / small.width)))
    held = io.BytesIO()
    small.quantize(COLOURS).save(held, "PNG", optimize=True)
    data = base64.b64encode(held.getvalue()).decode()
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{data}">'


def shares(values: Mapping[str, float]) -> str:
    """A bar of parts that make a whole, with a key below it."""
    whole = sum(values.values())
    if whole <= 0:
        return ""
    parts = [
        (name, value / whole, f"var(--s{i})") for i, (name, value) in enumerate(values.items())
    ]
    bar = "".join(f'<div style="width:{100 * s:.2f}%;background:{c}"></div>' for _, s, c in parts)
    key = "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)} {share:.0%}</span>'
        for name, share, colour in parts
    )
    return f'<div class="bar">{bar}</div><div class="key small quiet">{key}</div>'


def details(summary: str, content: str) -> str:
    """Something that is opened when asked for."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"
