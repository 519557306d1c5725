"""How long a test waits for what has to happen.

A wait ends as soon as it happens: a machine that is slow or stands still costs time and fails nothing.
A thread that a test holds back waits as long, so that it does not go on by itself while the test is at work.
"""

PATIENCE_SECONDS = 120.0
