# ruff: noqa: RUF001 (letters of other scripts look alike; that is the point)
"""Texts in many scripts and shapes, and Hypothesis strategies that mix them."""

from __future__ import annotations

from hypothesis import strategies as st

from persona_memory.budget.english import WORDS

CONVERSATION = (
    "I went to the support group yesterday and it was so powerful. We talked about our work and our families, and on "
    "the way home I bought some bread and a book for my sister, who is going to have her birthday next week. Could "
    "you help me find a good recipe for a cake that she can eat? She has been trying to avoid milk for a long time."
)

SAMPLES = {
    "conversation": CONVERSATION,
    "unknown words": "Xylophonists juxtapose qwertyuiop zyzzyvas; Llanfairpwllgwyngyll hmm brrr pffft aaaargh",
    "capitals": "PLEASE READ THIS: the HTTPServer and getUserName aren't McDonald's. ALL CAPS ARE EXPENSIVE!!!",
    "apostrophes": "a'st a'th a'there a'dry a'more a'sister " * 10,
    "a script after": "x" + " the\u00e9" * 20,
    "a mark after": "x" + " the\u0301" * 20,
    "a script before": "\u00e9the you \u4f60bread " * 10,
    "runs of spaces": "a  the  bread  and  the  milk  " * 10,
    "contractions": "I'm sure they'll say it's fine, don't you? 'there' 'relish' rock’n’roll we’d’ve",
    "numbers": "On 2024-02-29 at 13:56 I paid 1,234,567.89 for 3rd-party x2y 0x7fffffff, call +49 30 1234567",
    "code": "def f(self, *, user_id: str) -> None:\n\treturn {k: v for k, v in x.items() if k != 'the_end'}  # why\n",
    "base64": "QmFzZTY0IGlzIGV4cGVuc2l2ZSBmb3IgdG9rZW5pemVycywgaXNuJ3QgaXQ/IEp1c3QgbG9vayBhdCB0aGlzIQ==",
    "white space": "   \n\n\t\t  a \r\n \r\n  the   end\u3000\u00a0\u2028 of    it     ",
    "chinese": "我昨天去了一个互助小组，感觉非常有力量。你能帮我找一个蛋糕食谱吗？龘靐齉爩",
    "japanese": "昨日、支援グループに行きました。とても心強かったです。カタカナも！",
    "korean": "어제 지원 모임에 갔는데 정말 힘이 되었어요. 뷁쉛",
    "hindi": "मैं कल सहायता समूह में गया था और वह बहुत प्रभावशाली था। क्षत्रिय",
    "thai": "เมื่อวานฉันไปกลุ่มช่วยเหลือและมันทรงพลังมาก",
    "arabic": "ذهبت أمس إلى مجموعة الدعم وكانت قوية جدًا. ﷺ ﷽",
    "persian": "می\u200cخواهم کتاب\u200cهایم را بخوانم",
    "hebrew": "הלכתי אתמול לקבוצת תמיכה והיה חזק מאוד",
    "russian": "Вчера я ходил в группу поддержки, и это было очень сильно.",
    "vietnamese": "Hôm qua tôi đã đến một nhóm hỗ trợ và nó rất mạnh mẽ.",
    "combining": "e\u0301 a\u0308\u0323 Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319 the\u0301 end",
    "emoji": "👩\u200d👩\u200d👧\u200d👦 👍🏽 🇩🇪 ❤️ 🏳️\u200d🌈 the 🧑🏿\u200d🦱 end 🫠🫨",
    "ligatures": "ﷺ﷽㍿½ﬁ①" * 5,
    "rare": "𓀀𒀀𐍈ꙮ𝕳𝖊𝖑𝖑𝖔 ㍿ ½ ﬁ ① ＜tag＞ \u200b\ufeff\u200d\u0000\u0007",
}

_words = st.sampled_from(sorted(WORDS))
_glue = st.sampled_from(
    ["", " ", " ", " ", "  ", "\n", "\t", ", ", ". ", "-", "_", "'", "’", "“", "(", "/", "\u3000", "\u200b"]
)
_pieces = st.one_of(
    _words,
    _words.map(str.upper),
    st.text("etaoinshrdlucmfwypvbgkjqxz", min_size=1, max_size=12),
    st.text("abcXYZ", min_size=1, max_size=8),
    st.sampled_from(sorted(SAMPLES.values())).flatmap(
        lambda text: st.integers(0, len(text)).map(lambda n: text[n : n + 7])
    ),
    st.integers().map(str),
    st.text(max_size=5),
)
mixed = st.lists(st.tuples(_glue, _pieces), max_size=14).map(lambda parts: "".join(g + p for g, p in parts))
"""Words, gibberish, numbers, every script and anything else, glued together in every way."""
