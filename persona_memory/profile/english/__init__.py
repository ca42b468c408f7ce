"""Reading plain English statements without a model: sentences, clauses that are asserted, words that matter."""
