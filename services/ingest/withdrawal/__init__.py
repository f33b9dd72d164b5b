"""Removes a dataset, one of its persons, or a video from everywhere, for `mer forget` and for people in the console.

`shared.withdrawal.scope` says what is meant, `uploads` finds it among uploads, `removal` removes it, `reports` handles
what rests on it. `withdrawing` does all of it in order, and `loop` does so when the console asks.
"""
