"""persona-memory beside a LangGraph store: bring its memories in, and write what is known into it."""

from persona_memory_langgraph.exporting import aexport_store, export_store
from persona_memory_langgraph.importing import Imported, aimport_store, import_store
from persona_memory_langgraph.layout import NAMESPACE

__all__ = ["NAMESPACE", "Imported", "aexport_store", "aimport_store", "export_store", "import_store"]
