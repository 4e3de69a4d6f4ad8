"""Takes connections on an address of this machine to the same port on loopback: viewers in the network reach the object store, and nothing
else of it. It reads nothing of what it passes on.

    relay.py ADDRESS PORT
"""

import asyncio
import signal
import sys

CHUNK = 256 << 10
# Connections at once; one more is closed. A browser opens six to a host.
CONNECTIONS = 512
# A connection that moves nothing for so long is closed, in seconds.
IDLE = 120


class Relay:
    def __init__(self, port):
        self.port = port
        self.connections = 0

    async def serve(self, reader, writer):
        if self.connections >= CONNECTIONS:
            writer.transport.abort()
            return
        self.connections += 1
        try:
            await self.both_ways(reader, writer)
        finally:
            self.connections -= 1

    async def both_ways(self, reader, writer):
        try:
            from_store, to_store = await asyncio.open_connection("127.0.0.1", self.port, limit=CHUNK)
        except OSError:
            writer.transport.abort()
            return
        moved = Moved()
        ways = [asyncio.ensure_future(copy(*way, moved)) for way in ((reader, to_store), (from_store, writer))]
        try:
            _, unfinished = await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
            for way in unfinished:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            for end in (to_store, writer):
                end.transport.abort()


class Moved:
    """When a connection last moved something, in either direction."""

    def __init__(self):
        self.note()

    def note(self):
        self.at = asyncio.get_running_loop().time()

    def left(self):
        return max(self.at + IDLE - asyncio.get_running_loop().time(), 0)


async def copy(reader, writer, moved):
    # `drain` waits until the kernel has everything: nothing is lost at the end, and a slow viewer holds one chunk.
    writer.transport.set_write_buffer_limits(high=0)
    while True:
        try:
            chunk = await asyncio.wait_for(reader.read(CHUNK), moved.left())
        except asyncio.TimeoutError:
            if moved.left() > 0:
                continue
            raise
        if not chunk:
            writer.write_eof()
            return
        writer.write(chunk)
        await asyncio.wait_for(writer.drain(), IDLE)
        moved.note()


async def main(address, port):
    server = await asyncio.start_server(Relay(port).serve, address, port, limit=CHUNK, backlog=128)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
    server.close()


asyncio.run(main(sys.argv[1].strip("[]"), int(sys.argv[2])))
