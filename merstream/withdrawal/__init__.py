"""`mer forget`: a dataset, one of its persons, or a video is removed from everywhere.

`scope` says what is meant, `uploads` finds it among uploads, `removal` removes it, `reports` handles what rests on it.
"""
