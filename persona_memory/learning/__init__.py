"""From what was said to what is known: extractors, consolidation and the worker."""
