"""How memories lie in a LangGraph store: a namespace for each person, a document for each memory or profile.

LangMem's layout is the usual one. Its tools write `{"content": "…"}`, its store manager `{"kind": "Memory", "content":
{"content": "…"}}`, and for a schema of the host's own `{"kind": "UserProfile", "content": {"name": …}}`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from langgraph.store.base import BaseStore, SearchItem

from persona_memory import InvalidInput

NAMESPACE = ("memories", "{user_id}")
"""Where LangMem's examples keep a person's memories."""

OURS = "persona_memory"
"""What a document holds that we wrote: it is not read back, and goes when what it says was forgotten."""

PAGE = 100

Namespace = tuple[str, ...]


def place_of(template: Namespace) -> int | None:
    """Where the user's id stands in the template; None where it names no user.

    Raises:
        InvalidInput: it is empty, or has two places for one.
    """
    if isinstance(template, str) or not template:
        raise InvalidInput(f"the namespace is {template!r}; pass a tuple of labels such as {NAMESPACE!r}")
    places = [place for place, label in enumerate(template) if label.startswith("{") and label.endswith("}")]
    if len(places) > 1:
        raise InvalidInput(f"{template!r} has more than one place for the user's id")
    return places[0] if places else None


def namespace_of(template: Namespace, user_id: str) -> Namespace:
    """The person's namespace.

    Raises:
        InvalidInput: the store cannot have a label like this id.
    """
    place = place_of(template)
    if place is None:
        return template
    if not user_id or "." in user_id or "\0" in user_id:
        raise InvalidInput(f"{user_id!r} cannot be part of a namespace: LangGraph's stores take no label with a period")
    return (*template[:place], user_id, *template[place + 1 :])


def user_of(template: Namespace, namespace: Namespace) -> str | None:
    """The user whose namespace this is, as the template has it; None where it is another one."""
    place = place_of(template)
    if place is None or len(namespace) != len(template):
        return None
    user_id = namespace[place]
    return user_id if (*template[:place], user_id, *template[place + 1 :]) == namespace else None


def people(store: BaseStore, template: Namespace) -> Iterator[tuple[str, Namespace]]:
    """Everybody who has a namespace, with it."""
    offset, prefix = 0, template[: place_of(template)]
    while page := store.list_namespaces(prefix=prefix, limit=PAGE, offset=offset):
        yield from _named(template, page)
        offset += len(page)


async def apeople(store: BaseStore, template: Namespace) -> AsyncIterator[tuple[str, Namespace]]:
    """As `people`."""
    offset, prefix = 0, template[: place_of(template)]
    while page := await store.alist_namespaces(prefix=prefix, limit=PAGE, offset=offset):
        for found in _named(template, page):
            yield found
        offset += len(page)


def documents(store: BaseStore, namespace: Namespace) -> Iterator[SearchItem]:
    """The documents of exactly this namespace."""
    offset = 0
    while page := store.search(namespace, limit=PAGE, offset=offset):
        yield from (item for item in page if tuple(item.namespace) == namespace)
        offset += len(page)


async def adocuments(store: BaseStore, namespace: Namespace) -> AsyncIterator[SearchItem]:
    """As `documents`."""
    offset = 0
    while page := await store.asearch(namespace, limit=PAGE, offset=offset):
        for item in page:
            if tuple(item.namespace) == namespace:
                yield item
        offset += len(page)


def _named(template: Namespace, page: list[Namespace]) -> Iterator[tuple[str, Namespace]]:
    for namespace in page:
        user_id = user_of(template, tuple(namespace))
        if user_id is not None:
            yield user_id, tuple(namespace)


TEXTS = ("content", "data", "text", "memory")
"""Keys under which hosts keep a memory that is one text."""
TRIPLE = ("subject", "predicate", "object")


def said_in(value: Mapping[str, Any]) -> Iterator[tuple[str | None, Any, str]]:
    """What a document says: (field of a profile, its value, the same as a sentence); the field is None for a memory."""
    content = value.get("content", value) if set(value) <= {"kind", "content"} else value
    if isinstance(content, Mapping):
        yield from _in_mapping(content)
        return
    for one in content if isinstance(content, list) else [content]:
        if one not in (None, ""):
            yield None, one, str(one)


def _in_mapping(content: Mapping[str, Any]) -> Iterator[tuple[str | None, Any, str]]:
    texts = [content[key] for key in TEXTS if isinstance(content.get(key), str)]
    if texts:
        context = content.get("context")
        yield None, texts[0], f"{texts[0]} ({context})" if isinstance(context, str) and context else texts[0]
    elif all(isinstance(content.get(key), str) for key in TRIPLE):
        text = " ".join(content[key] for key in TRIPLE)
        yield None, text, text
    else:
        for path, one in _leaves(content):
            shown = ", ".join(map(str, one)) if isinstance(one, list) else str(one)
            yield path, one, f"The user's {path.replace('_', ' ').replace('.', ', ')}: {shown}"


def _leaves(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, one in content.items():
        if isinstance(one, Mapping):
            yield from _leaves(one, f"{above}{name}.")
        elif one not in (None, "", []):
            yield f"{above}{name}", one
