"""What is known of a person: a dictionary with a schema, folded from edits that carry their evidence."""

from persona_memory.profile.acceptance import Accepted, accept, last_emptied
from persona_memory.profile.fold import fold as fold_profile
from persona_memory.profile.optimizer import LLMOptimizer
from persona_memory.profile.rule_optimizer import RuleOptimizer
from persona_memory.profile.schema import FieldSpec, ProfileSchema, default_schema, schema_of

__all__ = [
    "Accepted",
    "FieldSpec",
    "LLMOptimizer",
    "ProfileSchema",
    "RuleOptimizer",
    "accept",
    "default_schema",
    "fold_profile",
    "last_emptied",
    "schema_of",
]
