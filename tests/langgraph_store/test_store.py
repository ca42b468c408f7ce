"""A host's LangGraph store: real stores, LangMem's own layout, nothing twice, nothing back that was forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite import SqliteStore

from persona_memory import InvalidInput, PersonaMemory, Policy
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory_langgraph import (
    Imported,
    aexport_store,
    aimport_store,
    export_store,
    import_store,
)

ANA, BEN = ("memories", "ana"), ("memories", "ben")
NAMES = {"name": "demographics.name"}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[PersonaMemory]:
    """A memory without an LLM, which learns when it is flushed."""
    with PersonaMemory.open(
        tmp_path / "home", embeddings=HashingEmbedder(), worker=False, durability="NORMAL"
    ) as memory:
        yield memory


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseStore]:
    """Two of LangGraph's own stores."""
    if request.param == "memory":
        yield InMemoryStore()
        return
    with SqliteStore.from_conn_string(str(tmp_path / "store.db")) as store:
        store.setup()
        yield store


def fill(store: BaseStore) -> None:
    """What LangMem's tools, its store manager, and a host's own code leave."""
    store.put(ANA, "1", {"content": "The user is allergic to peanuts."})
    store.put(ANA, "2", {"kind": "Memory", "content": {"content": "The user has a cat called Miso."}})
    store.put(ANA, "3", {"kind": "UserProfile", "content": {"name": "Ana", "shoe_size": 38, "nickname": None}})
    store.put(BEN, "1", {"data": "The user likes tea."})
    store.put(BEN, "2", {"kind": "Triple", "content": {"subject": "Ben", "predicate": "works for", "object": "Acme"}})
    store.put((*ANA, "drafts"), "1", {"content": "A draft of something else."})
    store.put(("settings", "ana"), "1", {"theme": "dark"})


def texts(memory: PersonaMemory, user: str) -> list[str]:
    return [one.text for one in memory.memories(user_id=user)]


def contents(store: BaseStore, namespace: tuple[str, ...]) -> dict[str, Any]:
    return {item.key: item.value for item in store.search(namespace, limit=1000) if item.namespace == namespace}


def test_langmems_memories_come_in_once(store: BaseStore, memory: PersonaMemory) -> None:
    """Each person's own, as statements with the document's date; other namespaces stay outside; again adds nothing."""
    fill(store)
    assert import_store(store, memory, fields=NAMES) == {"ana": Imported(new=4, fields=1), "ben": Imported(new=2)}
    assert texts(memory, "ana") == [
        "The user is allergic to peanuts.",
        "The user has a cat called Miso.",
        "The user's name: Ana",
        "The user's shoe size: 38",
    ]
    assert texts(memory, "ben") == ["The user likes tea.", "Ben works for Acme"]
    assert memory.profile(user_id="ana").get("demographics.name") == "Ana"
    written = store.search(BEN)[0].updated_at
    assert memory.memories(user_id="ben")[0].valid_from.replace(tzinfo=None) == written.replace(tzinfo=None)
    assert import_store(store, memory, fields=NAMES) == {"ana": Imported(held=4), "ben": Imported(held=2)}
    assert "Miso" in memory.recall("What is my cat called?", user_id="ana").text
    assert "Miso" not in memory.recall("What is my cat called?", user_id="ben").text


async def test_a_store_that_is_awaited_comes_out_the_same(memory: PersonaMemory) -> None:
    """The asynchronous twins, and what they do again."""
    store = InMemoryStore()
    fill(store)
    assert await aimport_store(store, memory, fields=NAMES) == {
        "ana": Imported(new=4, fields=1),
        "ben": Imported(new=2),
    }
    assert await aimport_store(store, memory) == {"ana": Imported(held=4), "ben": Imported(held=2)}
    memory.remember("Ana plays chess.", user_id="ana")
    assert await aexport_store(memory, store) == 2  # that, and her profile: the rest is there already
    assert await aexport_store(memory, store) == 0
    assert export_store(memory, store) == 0
    memory.delete_user(user_id="ana")
    assert await aexport_store(memory, store) == 2
    assert set(contents(store, ANA)) == {"1", "2", "3"}


def test_a_document_that_has_changed_comes_in_again(memory: PersonaMemory) -> None:
    """LangMem updates in place: the newer statement is stored, and the older one stays in the log."""
    store = InMemoryStore()
    store.put(ANA, "1", {"content": "The user lives in Porto."})
    import_store(store, memory)
    store.put(ANA, "1", {"content": "The user lives in Braga."})
    assert import_store(store, memory) == {"ana": Imported(new=1)}
    assert "The user lives in Braga." in texts(memory, "ana")


def test_what_was_forgotten_stays_out(store: BaseStore, memory: PersonaMemory) -> None:
    """A memory, a profile field, a whole person: the store still has them, and they do not come back."""
    fill(store)
    import_store(store, memory, fields=NAMES)
    peanuts = memory.memories(user_id="ana")[0]
    memory.forget([peanuts.id, "demographics.name"], user_id="ana")
    memory.delete_user(user_id="ben")
    assert import_store(store, memory, fields=NAMES) == {"ana": Imported(held=4), "ben": Imported(held=2)}
    assert "peanuts" not in str(memory.export(user_id="ana"))
    assert memory.profile(user_id="ana").get("demographics.name") is None
    assert memory.memories(user_id="ben") == []


def test_a_field_that_is_known_here_is_kept(memory: PersonaMemory) -> None:
    """What the person said to us counts more than another memory's copy; what does not fit a field is a statement."""
    store = InMemoryStore()
    memory.set_field("demographics.name", "Anna", user_id="ana")
    content = {"name": "Ana", "demographics": {"location": "Porto", "languages": ["Portuguese", "English"]}, "x": True}
    store.put(ANA, "1", {"kind": "P", "content": content})
    assert import_store(store, memory, fields=NAMES) == {"ana": Imported(new=4, fields=2)}
    profile = memory.profile(user_id="ana")
    assert profile.get("demographics.name") == "Anna"
    assert profile.get("demographics.location") == "Porto"
    assert profile.get("demographics.languages") == ("Portuguese", "English")
    assert "The user's demographics, languages: Portuguese, English" in texts(memory, "ana")
    assert "The user's x: True" in texts(memory, "ana")


def test_a_paused_memory_takes_nothing_in(memory: PersonaMemory) -> None:
    """Counted, and tried again when it goes on."""
    store = InMemoryStore()
    fill(store)
    memory.set_policy(Policy(paused=True), user_id="ana")
    assert import_store(store, memory) == {"ana": Imported(refused=4), "ben": Imported(new=2)}
    memory.set_policy(Policy(), user_id="ana")
    assert import_store(store, memory)["ana"] == Imported(new=4)


def test_a_namespace_of_one_person_needs_a_name(memory: PersonaMemory) -> None:
    """Whose it is must be certain, from the namespace or from the caller, never from both."""
    store = InMemoryStore()
    store.put(("memories",), "1", {"content": "The user likes tea."})
    assert import_store(store, memory, namespace=("memories",), user_id="ana") == {"ana": Imported(new=1)}
    for options in ({"namespace": ("memories",)}, {"user_id": "ana"}, {"namespace": ("{a}", "{b}")}, {"namespace": ()}):
        with pytest.raises(InvalidInput, match=r"whose documents|more than one place|pass a tuple"):
            import_store(store, memory, **options)
    for user_ids in (None, ["ana", "ben"], "ana"):
        with pytest.raises(InvalidInput, match="would share"):
            export_store(memory, store, namespace=("memories",), user_ids=user_ids)


def test_a_template_matches_its_own_namespaces_only(memory: PersonaMemory) -> None:
    """The place of the user may be anywhere; more than a page of people and documents comes in."""
    store = InMemoryStore()
    for number in range(130):
        store.put(("org", f"user{number}", "facts"), "1", {"content": f"The user has {number} books."})
    for number in range(250):
        store.put(("org", "user7", "facts"), f"more{number}", {"content": f"The user read book {number}."})
    store.put(("org", "user1", "other"), "1", {"content": "Not this."})
    came = import_store(store, memory, namespace=("org", "{langgraph_user_id}", "facts"))
    assert len(came) == 130
    assert came["user7"] == Imported(new=251)
    assert came["user1"] == Imported(new=1)


def test_what_is_known_goes_out_in_langmems_layout(store: BaseStore, memory: PersonaMemory) -> None:
    """Memories and the profile of each person; what LangMem wrote stays; an import does not read our own back."""
    fill(store)
    before = contents(store, ANA)
    cat = memory.remember("Ana's cat is called Miso.", user_id="ana")
    memory.set_field("demographics.name", "Ana", user_id="ana")
    memory.remember("Cleo plays chess.", user_id="cleo")
    assert export_store(memory, store) == 3
    written = contents(store, ANA)[cat.id]
    assert (written["kind"], written["content"]) == ("Memory", {"content": "Ana's cat is called Miso."})
    assert written["persona_memory"]["valid_from"] == cat.valid_from.isoformat()
    assert contents(store, (*ANA, "profile"))["profile"]["content"] == {"demographics": {"name": "Ana"}}
    assert {key: contents(store, ANA)[key] for key in before} == before
    assert export_store(memory, store) == 0
    assert import_store(store, memory)["ana"] == Imported(new=4)
    assert "cleo" not in import_store(store, memory) or import_store(store, memory)["cleo"] == Imported()


def test_what_was_forgotten_goes_from_the_store_too(store: BaseStore, memory: PersonaMemory) -> None:
    """A memory, a corrected one, a deleted person: the next export takes what an earlier one wrote."""
    fill(store)
    cat = memory.remember("Ana's cat is called Miso.", user_id="ana")
    dog = memory.remember("Ana's dog is called Rex.", user_id="ana")
    memory.remember("Cleo plays chess.", user_id="cleo")
    export_store(memory, store)
    memory.forget([cat.id], user_id="ana")
    memory.feedback("Ana's dog is called Max.", user_id="ana", memory_id=dog.id)
    memory.delete_user(user_id="cleo")
    assert export_store(memory, store, user_ids=["ana"]) == 3
    assert contents(store, ("memories", "cleo")) != {}
    assert export_store(memory, store) == 1
    assert contents(store, ("memories", "cleo")) == {}
    ours = [value["content"]["content"] for value in contents(store, ANA).values() if "persona_memory" in value]
    assert ours == ["Ana's dog is called Max."]
    assert set(contents(store, BEN)) == {"1", "2"}


def test_a_user_id_that_the_store_cannot_have_is_refused(memory: PersonaMemory) -> None:
    """Nothing is written under a name that could be another person's."""
    store = InMemoryStore()
    memory.remember("Ana likes tea.", user_id="ana")
    memory.remember("Ana likes tea.", user_id="ana@example.com")
    with pytest.raises(InvalidInput, match="no label with a period"):
        export_store(memory, store)
    assert store.search(("memories",)) == []


def test_langmem_itself_writes_and_reads_this_layout(memory: PersonaMemory) -> None:
    """Its tool's memory comes in; its search finds what went out."""
    langmem = pytest.importorskip("langmem", reason="langmem is not installed; its layout is tested above")
    store = InMemoryStore()
    config: Any = {"configurable": {"langgraph_user_id": "ana"}}
    namespace = ("memories", "{langgraph_user_id}")
    manage = langmem.create_manage_memory_tool(namespace, store=store)
    manage.invoke({"content": "The user is allergic to peanuts."}, config)
    assert import_store(store, memory, namespace=namespace) == {"ana": Imported(new=1)}
    memory.remember("Ana's cat is called Miso.", user_id="ana")
    export_store(memory, store, namespace=namespace)
    found = langmem.create_search_memory_tool(namespace, store=store).invoke({"query": "cat"}, config)
    assert "Miso" in str(found)
