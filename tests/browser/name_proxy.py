"""A proxy that resolves the names of the emulated public site, since no name server knows them."""

import socket
import socketserver
import threading

from tests.servers.threaded import Quiet, Threaded


class Tunnel(socketserver.StreamRequestHandler):
    """CONNECT (RFC 9110 §9.3.6): whatever the name, the port is on this machine."""

    def handle(self) -> None:
        """Open the tunnel and pump until either side is done."""
        method, target, _ = self.rfile.readline().decode("latin-1").split(" ", 2)
        while self.rfile.readline().strip():
            pass
        if method != "CONNECT":
            self.wfile.write(b"HTTP/1.1 405 No\r\nContent-Length: 12\r\n\r\nOnly tunnels")
            return
        with socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2]))) as far:
            self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            there = threading.Thread(target=pump, args=(self.connection, far), name="pump")
            there.start()
            pump(far, self.connection)
            there.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy bytes until the source ends, then tell the sink."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()


class NameProxy(Threaded):
    """The proxy as a context manager."""

    def __init__(self) -> None:
        super().__init__(Quiet(Tunnel))
        self.url = self.base
