"""The same servers with Python's asyncio: protocols, which are faster than its streams.

    asyncio_server.py SERVICE SINK_PORT
"""

import asyncio
import json
import os
import sys

HOST = "127.0.0.1"
messages = 0


class Stream(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport


class TcpEcho(Stream):
    def data_received(self, data):
        self.transport.write(data)


class Sink(Stream):
    def data_received(self, data):
        pass


class Relay(Stream):
    """One side of a relay. A side that cannot send stops the other from receiving."""

    def __init__(self, peer=None):
        self.peer = peer
        self.ended = False

    def connection_made(self, transport):
        self.transport = transport
        if self.peer is None:
            loop = asyncio.get_running_loop()
            # Not at once: the transport begins to read when this has returned (Python 3.11).
            loop.call_soon(self.wait)
            self.opening = loop.create_task(
                loop.create_connection(lambda: Relay(self), HOST, int(sys.argv[2]))
            )
        else:
            self.peer.peer = self
            self.peer.transport.resume_reading()

    def wait(self):
        if self.peer is None:
            self.transport.pause_reading()

    def data_received(self, data):
        self.peer.transport.write(data)

    def eof_received(self):
        self.ended = True
        self.peer.transport.write_eof()
        return not self.peer.ended  # whether to stay open

    def pause_writing(self):
        self.peer.transport.pause_reading()

    def resume_writing(self):
        self.peer.transport.resume_reading()

    def connection_lost(self, error):
        if self.peer is not None:
            self.peer.transport.close()


class UdpEcho(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data, address)


class Flood(asyncio.DatagramProtocol):
    def datagram_received(self, data, address):
        global messages
        messages += 1


async def listen(protocol):
    server = await asyncio.get_running_loop().create_server(protocol, HOST, 0, backlog=4096)
    return server, server.sockets[0].getsockname()[1]


async def bind(protocol):
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        protocol, local_addr=(HOST, 0)
    )
    return transport, transport.get_extra_info("sockname")[1]


SERVICES = {
    "tcp-echo": (listen, TcpEcho),
    "sink": (listen, Sink),
    "relay": (listen, Relay),
    "udp-echo": (bind, UdpEcho),
    "flood": (bind, Flood),
}


async def main():
    opener, protocol = SERVICES[sys.argv[1]]
    server, port = await opener(protocol)
    print(json.dumps({"port": port}), flush=True)
    gone = asyncio.Event()

    def ask():
        if os.read(0, 4096) == b"":
            gone.set()
        else:
            print(json.dumps({"messages": messages}), flush=True)

    asyncio.get_running_loop().add_reader(0, ask)
    await gone.wait()
    os._exit(0)  # whatever is connected


asyncio.run(main())
