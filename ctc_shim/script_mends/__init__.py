"""What `run` mends in a script of 2015 - 2020, so that it runs on today's libraries unedited.

Only the script's own files are edited, while they are loaded (own_sources.py, script_editor.py): an
operation that may stop, such as `np.float` or `yaml.load(x)`, becomes the call of a function of
script_helpers.py. That function tries the operation as it is written, and mends it only if it
fails in a way that the tables know. So a script that runs already computes what it did.
"""
