"""Names of other libraries that are private or move between versions, one file per library; tests/test_compat.py asks for each."""
