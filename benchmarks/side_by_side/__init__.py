"""Speed and cost beside mem0, LangMem and plain qdrant-client, each in a process (peers: in a venv) of its own."""
