"""Text to words, for any script, without a compiled dependency."""

from __future__ import annotations

import re
import unicodedata
from itertools import chain

from persona_memory.memo import Memo

MARKS = (
    "\u0711-\u074a\u0900-\u0963\u0966-\u0dff\u0e30-\u0e4e\u0eb0-\u0ece\u0f18-\u0fbc\u102b-\u109d\u17b4-\u17d3"
    "\u1ab0-\u1aff\u3099\u309a"
)
"""Vowel signs that belong to a word though Python's \\w leaves them out (Thai, Hindi, Tibetan …)."""

WORD = re.compile(rf"[^\W_](?:[^\W_]|[{MARKS}])*(?:'[^\W_]+)*")

PLAIN_WORD = re.compile("[a-z0-9]+(?:'[a-z0-9]+)*")
"""What WORD finds in lower-case ASCII, several times as fast."""

ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]")
"""Accents, and the vowel points of Hebrew and Arabic: people leave them out when they type."""

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]+"
)
"""Scripts written without spaces: Thai, Lao, Burmese, Khmer, Japanese, Chinese. (Korean has spaces.)"""

STOP_WORDS = frozenset(
    """a about above after again against all also am an and any are aren't as at be because been before being
    below between both but by can can't could couldn't did didn't do does doesn't doing don't down during
    each few for from further get gets getting got had hadn't has hasn't have haven't having he he'd he'll
    he's her here hers herself him himself his how i i'd i'll i'm i've if in into is isn't it it'd it'll
    it's its itself just let's like may me might more most much must my myself no nor not of off on once one
    ones only or other our ours ourselves out over own really same shall she she'd she'll she's should so
    some such than that that's the their theirs them themselves then there there's these they they'd they'll
    they're they've this those through to too under until up us very was wasn't we we'd we'll we're we've
    were weren't what what's when where which while who whom whose why will with won't would wouldn't you
    you'd you'll you're you've your yours yourself yourselves""".split()
)
"""English words that are in most texts, so that they tell nothing."""

VOWELS = frozenset("aeiouy")

IRREGULAR_FORMS = """
    become became | begin began begun | break broke broken | bring brought | build built | buy bought | catch caught
    | choose chose chosen | come came | draw drew drawn | drink drank drunk | drive drove driven | eat ate eaten |
    fall fell fallen | feel felt | fight fought | find found | fly flew flown | forget forgot forgotten | give gave
    given | go went gone | grow grew grown | hear heard | hold held | keep kept | know knew known | lead led | leave
    left | lose lost | make made | meet met | pay paid | ride rode ridden | run ran | say said | see saw seen | sell
    sold | send sent | sing sang sung | sit sat | sleep slept | speak spoke spoken | spend spent | stand stood |
    steal stole stolen | swim swam swum | take took taken | teach taught | tell told | think thought | throw threw
    thrown | understand understood | wake woke woken | wear wore worn | win won | write wrote written | child
    children | foot feet | man men | person people | tooth teeth | wife wives | woman women
"""
IRREGULAR = {form: base for base, *forms in map(str.split, IRREGULAR_FORMS.split("|")) for form in forms}
"""Irregular forms to base forms: without them "When did she buy …?" misses "I bought …"."""


def tokens(text: str) -> list[str]:
    """The text's index words in order: case-folded, stemmed, without stop words; character pairs where no spaces are.

    "She's running 2 marathons" gives ["run", "2", "marathon"]; "東京都" gives ["東京", "京都"].
    """
    pieces = (text.lower() if text.isascii() else _plain(text)).split()
    return list(chain.from_iterable(map(PIECES.__getitem__, pieces)))


def _words(piece: str) -> tuple[str, ...]:
    """The index words of what stands between white space."""
    if piece.isascii():
        return tuple(stem(word.removesuffix("'s")) for word in PLAIN_WORD.findall(piece) if word not in STOP_WORDS)
    found: list[str] = []
    for match in WORD.finditer(piece):
        word = match.group()
        if word.isascii() or not UNSPACED.search(word):
            if word not in STOP_WORDS:
                found.append(stem(word.removesuffix("'s")))
        else:
            found.extend(_pairs(word))
    return tuple(found)


PIECES = Memo(_words, most=16_384, longest=40)
"""The index words of each piece, in this process: people say the same words again. An erasure clears it."""


def _plain(text: str) -> str:
    """Case-folded, full-width and other compatibility forms unified, accents dropped (people type cafe for café)."""
    text = unicodedata.normalize("NFKD", text.replace("’", "'").casefold())
    return unicodedata.normalize("NFC", ACCENTS.sub("", text))


def stem(word: str) -> str:
    """The word without its usual English endings: plural -s, -ed, -ing, -ly, final e; y as i; irregular forms mapped.

    A light stemmer in the spirit of Harman's S-stemmer (1991), plus the forms of common irregular verbs. Words of other
    scripts and words of up to three letters pass through.
    """
    word = IRREGULAR.get(word, word)
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    word = _singular(word)
    for ending in ("ing", "ed"):
        root = word.removesuffix(ending)
        if root != word and len(root) >= 3 and not VOWELS.isdisjoint(root):
            word = root[:-1] if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "lsz" else root
            break
    if len(word) > 5:
        word = word.removesuffix("ly")
    if len(word) > 3 and word[-1] in "ey":
        return word[:-1] + ("i" if word[-1] == "y" else "")
    return word


def _singular(word: str) -> str:
    """Harman's three rules."""
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")):
        return word[:-1]
    return word


def _pairs(word: str) -> list[str]:
    """Character pairs of the unspaced stretches, and what stands between them as words."""
    found: list[str] = []
    end = 0
    for stretch in UNSPACED.finditer(word):
        if stretch.start() > end:
            found.append(stem(word[end : stretch.start()]))
        run = stretch.group()
        found.extend([run] if len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)])
        end = stretch.end()
    if end < len(word):
        found.append(stem(word[end:]))
    return found
