"""What a memory does, it does encrypted, too: tests of tests/memory, run over this folder's fixtures."""

from __future__ import annotations

from tests.memory.test_coming_back import (
    test_a_job_that_fails_after_its_person_was_deleted_brings_nothing_back as test_a_late_failure_brings_nothing_back,
)
from tests.memory.test_corrections import (
    test_a_corrected_memory_leaves_nothing_of_the_old_one_in_the_profile as test_a_corrected_memory_leaves_nothing,
)
from tests.memory.test_forgetting import (
    test_earlier_wordings_of_an_edited_message_go_too,
    test_everything_that_writes_has_an_async_twin,
    test_the_rest_of_a_turn_that_asks_to_forget_is_kept_and_learnt,
    test_turns_cited_together_with_a_lost_one_are_learnt_again,
)
from tests.memory.test_memory import (
    test_a_deleted_persons_replay_stays_out_and_new_words_come_in,
    test_a_question_is_offered_once_per_thread_and_a_rejected_one_never_again,
    test_a_rating_is_about_what_was_recalled_for_the_thread,
    test_a_statement_is_a_memory_at_once_and_a_correction_replaces_it,
    test_another_embedder_embeds_everything_again,
    test_deleting_a_person_leaves_nothing_and_touches_nobody_else,
    test_fields_are_set_by_the_host_and_have_a_history,
    test_forgetting_erases_the_bytes,
    test_retention_erases_what_is_too_old,
    test_what_was_said_in_one_thread_is_recalled_in_another_before_it_is_learnt,
)
from tests.memory.test_rebuild import test_a_rebuild_ends_in_the_same_state

__all__ = [
    "test_a_corrected_memory_leaves_nothing",
    "test_a_deleted_persons_replay_stays_out_and_new_words_come_in",
    "test_a_late_failure_brings_nothing_back",
    "test_a_question_is_offered_once_per_thread_and_a_rejected_one_never_again",
    "test_a_rating_is_about_what_was_recalled_for_the_thread",
    "test_a_rebuild_ends_in_the_same_state",
    "test_a_statement_is_a_memory_at_once_and_a_correction_replaces_it",
    "test_another_embedder_embeds_everything_again",
    "test_deleting_a_person_leaves_nothing_and_touches_nobody_else",
    "test_earlier_wordings_of_an_edited_message_go_too",
    "test_everything_that_writes_has_an_async_twin",
    "test_fields_are_set_by_the_host_and_have_a_history",
    "test_forgetting_erases_the_bytes",
    "test_retention_erases_what_is_too_old",
    "test_the_rest_of_a_turn_that_asks_to_forget_is_kept_and_learnt",
    "test_turns_cited_together_with_a_lost_one_are_learnt_again",
    "test_what_was_said_in_one_thread_is_recalled_in_another_before_it_is_learnt",
]
