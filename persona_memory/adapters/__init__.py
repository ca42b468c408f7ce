"""Torch-free: which way a person's memory takes to the model, and the names and files of adapters."""

from persona_memory.adapters.files import delete_revision, read_revision, revisions, sweep, write_revision
from persona_memory.adapters.manifest import Fingerprint, LoraSpec, Manifest, check_base
from persona_memory.adapters.names import owner_of, parse_name, revision_name
from persona_memory.adapters.routing import decide

__all__ = [
    "Fingerprint",
    "LoraSpec",
    "Manifest",
    "check_base",
    "decide",
    "delete_revision",
    "owner_of",
    "parse_name",
    "read_revision",
    "revision_name",
    "revisions",
    "sweep",
    "write_revision",
]
