"""A picture as SVG 1.1: one file, no script, nothing fetched."""

from typing import assert_never
from xml.sax.saxutils import escape, quoteattr

from steiner.picture.shapes import Group, Label, Outline, Picture
from steiner.picture.text_fit import visible

FONTS = "Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"
BACKGROUND = "#ffffff"


def svg_of(picture: Picture) -> str:
    """The whole document; the same picture gives the same text."""
    width, height = _number(picture.width), _number(picture.height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family={quoteattr(FONTS)}>'
    )
    lines = [
        head,
        f"<title>{_text(picture.title)}</title>",
        f"<desc>{_text(picture.description)}</desc>",
        f'<rect width="{width}" height="{height}" fill="{BACKGROUND}"/>',
        *(_group(group) for group in picture.groups),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _group(group: Group) -> str:
    hint = f"<title>{_text(group.hint)}</title>" if group.hint else ""
    shapes = "".join(_shape(shape) for shape in group.shapes)
    data = "".join(f" data-{name}={quoteattr(visible(value))}" for name, value in group.data)
    return f"<g{data}>{hint}{shapes}</g>"


def _shape(shape: Outline | Label) -> str:
    match shape:
        case Outline():
            return _outline(shape)
        case Label():
            return _label(shape)
        case _:
            assert_never(shape)


def _outline(outline: Outline) -> str:
    path = "".join(
        ("M" if index == 0 else "C" if len(segment) == 6 else "L") + " ".join(map(_number, segment))
        for index, segment in enumerate(outline.segments)
    )
    attributes = [f'd="{path}{"Z" if outline.closed else ""}"', f'fill="{outline.fill or "none"}"']
    if outline.stroke:
        attributes += [f'stroke="{outline.stroke}"', f'stroke-width="{_number(outline.width)}"']
        attributes += ['stroke-linejoin="round"']
        attributes += ['stroke-linecap="round"'] * (not outline.dash)
    if outline.dash:
        attributes.append(f'stroke-dasharray="{" ".join(map(_number, outline.dash))}"')
    return f"<path {' '.join(attributes)}/>"


def _label(label: Label) -> str:
    attributes = [f'x="{_number(label.x)}" y="{_number(label.y)}" font-size="{_number(label.size)}"']
    attributes.append(f'fill="{label.colour}"')
    attributes += ['font-weight="bold"'] * label.bold + ['font-style="italic"'] * label.italic
    attributes += [f'text-anchor="{label.anchor}"'] * (label.anchor != "start")
    return f"<text {' '.join(attributes)}>{_text(label.text)}</text>"


def _text(text: str) -> str:
    return escape(visible(text))


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
