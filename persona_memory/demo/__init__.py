"""The demo: conversations written for this project, and a chat model that needs neither weights nor a network."""
