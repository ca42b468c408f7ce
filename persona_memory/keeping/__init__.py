"""Keeping a home folder: backups, bringing them back, a check-up with repairs, and proof that something is erased."""

from persona_memory.keeping.backup import backup
from persona_memory.keeping.doctor import doctor
from persona_memory.keeping.proof import verify_erasure
from persona_memory.keeping.restore import restore

__all__ = ["backup", "doctor", "restore", "verify_erasure"]
