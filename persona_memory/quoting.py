"""What people and models wrote, as it may stand in a prompt or on a terminal: it is read, and can do nothing else.

Everything that puts stored text into a text of our own passes it through one of these: `inert` for what becomes part of
a line, `named` for the name of a speaker, `without_marks` where lines have to stay, `printable` for a terminal.
"""

from __future__ import annotations

import re
import unicodedata

PROFILE_TAG = "user_profile"
MEMORIES_TAG = "recalled_memories"

_TAGS = f"(?:{PROFILE_TAG}|{MEMORIES_TAG})"

# What looks like a tag or a template mark: "<" unless a space, a digit, "=" or "-" follows ("a < b", "<3", "<-"); "< /"
# is never prose. Other brackets that look like "<" are left alone ("«oui»"), except before the names of our own tags.
_TAG_LIKE = re.compile(rf"[<\uff1c\ufe64](?=\s*[/\uff0f\u2044\u2215]|[\s/]*{_TAGS}|[^\s\d=\-])", re.IGNORECASE)
_LOOKALIKE = (
    "\u00ab\u02c2\u1438\u16b2\u2039\u226a\u226e\u2329\u276c\u276e\u2770\u27e8\u27ea\u2991\u29fc\u3008\u300a\ufe3f"
)
_SPELT = "|".join(r"[\W_]{0,3}".join(tag.replace("_", "")) for tag in (PROFILE_TAG, MEMORIES_TAG))
_OWN_TAG = re.compile(rf"[{_LOOKALIKE}](?=[\s/\uff0f\u2044\u2215]*(?:{_SPELT}))", re.IGNORECASE)
_TEMPLATE_MARK = re.compile(r"[\[\uff3b](?=/?[a-z]?[A-Z][A-Z_]{2,}[\]\uff3d])")

_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_SELECTOR_RUN = re.compile(f"([{_SELECTORS}])[{_SELECTORS}]+")
_JOINERS = "\u200c\u200d"
_VISIBLE_FORMATS = frozenset(_JOINERS + "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
_IDLE_JOINER = re.compile(
    rf"(?<![^\x00-\x7f])[{_JOINERS}]+|[{_JOINERS}]+(?![^\x00-\x7f])|(?<=[{_JOINERS}])[{_JOINERS}]+"
)
# Unicode's other characters that are shown as nothing (Default_Ignorable_Code_Point, old Korean and Mongolian apart).
_BLANK = re.compile("[\u034f\u17b4\u17b5\u2065\u3164\uffa0\ufff0-\ufff8\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]")

_IN_NAMES = frozenset(" .'’&@+-_\u00b7" + _JOINERS)
LONGEST_NAME = 60

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What a terminal would obey: controls but line breaks and tabs, and marks that turn lines around."""


def inert(text: str) -> str:
    """The text on one line, unable to end our block, to open another, or to pass for a role or an instruction mark.

    Line breaks become " / "; "<" of what looks like a tag becomes "&lt;", "[" of a template's mark such as "[INST]"
    becomes "[ ". Invisible characters go: controls, bidi overrides, zero-width spaces, tag characters, variation
    selectors in a row, and joiners that join nothing (those inside emoji, Indic or Persian words stay). Nothing else
    of what a person wrote is changed.
    """
    lines = (line.strip() for line in text.splitlines())
    flat = " / ".join(line for line in lines if line)
    if not flat.isascii() or not flat.isprintable():
        flat = "".join(one for one in flat.replace("\t", " ") if _is_visible(one))
        flat = _IDLE_JOINER.sub("", _SELECTOR_RUN.sub(r"\1", _BLANK.sub("", flat)))
    return without_marks(flat).strip()


def without_marks(text: str) -> str:
    """The text in which no tag opens and no template's mark stands; its lines and all else stay as they are."""
    if not text.isascii():
        text = _OWN_TAG.sub("&lt;", text)
    return _TEMPLATE_MARK.sub("[ ", _TAG_LIKE.sub("&lt;", text))


def named(name: str | None) -> str:
    """The name of a speaker as part of a line: no bracket, no colon, no comma, so that it says nothing but a name.

    Hosts take names from display names, which anybody may choose. "" for None, and for what holds no letter.
    """
    kept = (one if one in _IN_NAMES or unicodedata.category(one)[0] in "LMN" else " " for one in name or "")
    plain = " ".join(inert("".join(kept)).replace("&lt;", " ").split())
    return plain[:LONGEST_NAME].rstrip() if any(map(str.isalnum, plain)) else ""


def printable(text: str) -> str:
    """The text with a replacement character for everything that a terminal would obey, so that it is seen."""
    return text if text.isascii() and text.isprintable() else UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _is_visible(one: str) -> bool:
    return one in _VISIBLE_FORMATS or unicodedata.category(one) not in ("Cc", "Cf", "Cs")
