"""The lab: a local page for lessons and one's own captures. It listens to 127.0.0.1 alone, behind a token.

`server` binds and ends, `guard` lets in, `app` answers, `workspace` holds what is open, `turns` says who may work
on it, `material` and `session` call the same engine as every command. starlette and uvicorn are imported by `app`
and `server`.
"""
