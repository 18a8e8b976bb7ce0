"""SVG as matplotlib writes it, made small, and dark where its page is."""

from __future__ import annotations

import re

from mnbayes.report.kit.colours import dark

#: Places in an SVG, and their digits beyond a tenth of a point.
_PLACES = re.compile(rb' (?:d|x|y|transform)="[^"]*"')
_DIGITS, _ZERO = re.compile(rb"(\.\d)\d+"), re.compile(rb"\.0(?!\d)")
#: What says nothing: the file's own description, a turn by nothing, and a group that closes itself,
#: of points of which there are none.
_NOTHING = re.compile(
    rb"<metadata>.*?</metadata>|<!DOCTYPE[^>]*>|<!--.*?-->| transform=\"rotate\(-?0 [^\"]*\""
    rb"|<g(?: [^>]*)?/>",
    re.DOTALL,
)
_FONT = re.compile(rb"; font-family: [^;\"]*")
_IDS, _USED = re.compile(rb' id="([^"]*)"'), re.compile(rb"#([\w.-]+)")
_BETWEEN, _GROUPS = re.compile(rb"\s*\n\s*"), re.compile(rb"(<g(?: [^>]*)?>|</g>)")
_SAID = re.compile(rb'(fill|stroke)="(#[0-9a-f]{6})"')
_FILLS = re.compile(rb"(fill|stroke): ?(#[0-9a-f]{6})")
_FAMILY = b"text{font-family:'DejaVu Sans',sans-serif}"


def _shorter(found: re.Match[bytes]) -> bytes:
    """Numbers of a place without digits that nobody sees; lines without the letter of each."""
    short = _ZERO.sub(b"", _DIGITS.sub(rb"\1", _BETWEEN.sub(b" ", found[0]))).replace(b' "', b'"')
    return short if b"C" in short or b"Q" in short else short.replace(b" L ", b" ")


def _flat(svg: bytes) -> bytes:
    """Groups that say nothing of what they hold are taken away, and what they hold is left."""
    parts, kept = _GROUPS.split(svg), list[bool]()
    for place, part in enumerate(parts):
        if part == b"</g>":
            parts[place] = part if kept.pop() else b""
        elif part.startswith(b"<g"):
            kept.append(part != b"<g>")
            parts[place] = part if kept[-1] else b""
    return b"".join(parts)


def compact(svg: bytes) -> bytes:
    """The same picture in fewer bytes: a tenth of a point is seen by nobody."""
    bare = _FONT.sub(b"", _NOTHING.sub(b"", svg))
    used = set(_USED.findall(bare))
    bare = _IDS.sub(lambda found: found[0] if found[1] in used else b"", bare)
    bare = _BETWEEN.sub(b"\n", _flat(_PLACES.sub(_shorter, bare)))
    return bare.replace(b"</svg>", b"<style>%s</style>\n</svg>" % _FAMILY)


def with_dark(svg: bytes) -> bytes:
    """A picture that turns dark where its reader's page is.

    An ``<img>`` is out of reach of the page's styles, but asks its own what scheme is preferred.
    What the file says without that stays, so that every other program shows it as on paper.
    """
    found = sorted(set(_FILLS.findall(svg)))
    said = sorted(set(_SAID.findall(svg)))  # of a hatch: an attribute, not a style
    rules = [b"svg{fill:%s}" % dark("black").encode()]
    rules += [
        b'[style*="%s: %s"]{%s:%s!important}' % (what, color, what, dark(color.decode()).encode())
        for what, color in found
    ]
    rules += [
        b'[%s="%s"]{%s:%s}' % (what, color, what, dark(color.decode()).encode())
        for what, color in said
    ]
    style = b"<style>@media (prefers-color-scheme:dark){%s}</style>\n" % b"".join(rules)
    return svg.replace(b"</svg>", style + b"</svg>")
