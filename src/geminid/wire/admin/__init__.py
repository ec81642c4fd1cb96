"""The format of the administration API: its messages, its operations, and the document made from both."""
