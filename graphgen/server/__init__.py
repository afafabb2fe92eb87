"""The server: the engine over HTTP, for programs and for the browser.

In: an `Engine` and `Settings`. Out: an aiohttp application (`app.py`), or a server that runs until it is told to stop
(`serving.py`). A request goes through `security.py`, which lets it in or not, to a handler in `routes/`; what goes
wrong becomes a problem document (`problems.py`). What must outlive the process lies in `store.py`, as rows that
`records.py` knows. `checking.py` checks what is asked for, and `planning.py` tells what it would do. `dispatch.py`
decides which run is next, `runner.py` carries it out, `recorder.py` writes down what it tells, and `hub.py` tells that
to who watches.
"""
