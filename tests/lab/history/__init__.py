"""What was handed to the city, told from outside it, and the judgement of what became of it.

`generate` hands readings to the relay sockets and logs what it handed in and what was acknowledged; `check` reads both stores
and says what is lost, stored twice or changed. Neither asks the city anything: a service that lies is found out.
"""
