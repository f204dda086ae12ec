#!/usr/bin/python3
"""Between a program and its portal: passes their messages on, and each line of its standard input as one more message
of the portal. So a scenario has the portal say what our own would not say by itself.

usage: portal_proxy.py PORT URL      listens on 127.0.0.1:PORT, connects to URL with the program's path and user agent
"""
import asyncio
import sys

import websockets

BYTES_MAX = 1 << 20


async def serve(port, url):
    programs = set()

    async def connected(program, path):
        async with websockets.connect(url + path, max_size=BYTES_MAX, ping_interval=None,
                                      user_agent_header=program.request_headers.get("User-Agent")) as portal:
            programs.add(program)
            try:
                await ended_first(copy(program, portal), copy(portal, program))
            finally:
                programs.discard(program)

    async with websockets.serve(connected, "127.0.0.1", port, max_size=BYTES_MAX, ping_interval=None):
        print("listens", flush=True)
        lines = await standard_input()
        while line := await lines.readline():
            for program in list(programs):
                await program.send(line.decode().strip())
            print("said", flush=True)


async def copy(source, target):
    async for message in source:
        await target.send(message)


async def ended_first(*copies):
    tasks = [asyncio.ensure_future(one) for one in copies]
    _, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()


async def standard_input():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
