"""Programs of the administrator's that are run when a session comes up, and when it has ended.

:mod:`.hooked` hears of that, beside the store, and knows what each session is; :mod:`.runner` has the
programs run, in order and a few at a time; :mod:`.program` is one of them: checked, with a clean
environment, bounded in time. They never keep a login or a packet waiting.
"""
