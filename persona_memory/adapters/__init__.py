"""Torch-free: which way a person's memory takes to the model, and the names and files of adapters."""

from persona_memory.adapters.files import delete_revision, read_revision, revisions, sweep, write_revision
from persona_memory.adapters.manifest import Fingerprint, LoraSpec, Manifest, MetaTraining, Method, check_base
from persona_memory.adapters.names import owner_of, parse_name, revision_name, start_name
from persona_memory.adapters.routing import decide
from persona_memory.adapters.starts import Starts, StartVersion

__all__ = [
    "Fingerprint",
    "LoraSpec",
    "Manifest",
    "MetaTraining",
    "Method",
    "StartVersion",
    "Starts",
    "check_base",
    "decide",
    "delete_revision",
    "owner_of",
    "parse_name",
    "read_revision",
    "revision_name",
    "revisions",
    "start_name",
    "sweep",
    "write_revision",
]
