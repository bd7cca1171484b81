"""crowd.py PORT : keeps 2700 connections from six addresses of the loopback open to 127.0.0.1:PORT, and opens another for each that the
server ends. Of six one has sent a whole ClientHello and goes no further, two some bytes of it, three nothing. Prints "there" when all
stand."""
import os
import resource
import select
import signal
import socket
import ssl
import sys
import time

ADDRESSES, EACH = 6, 450	# each below LIMIT_HTTP_PER_IP, all above LIMIT_HTTP_CONN


def client_hello():
    out = ssl.MemoryBIO()
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="crowd.example").do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
port, poll, held, hello = int(sys.argv[1]), select.poll(), {}, client_hello()


def another(n):
    s = socket.socket()
    s.bind(("127.0.0.%d" % (2 + n % ADDRESSES), 0))
    s.settimeout(5)
    s.connect(("127.0.0.1", port))
    s.send(hello if n // ADDRESSES % 6 == 0 else hello[:40] if n % 2 else b"")
    held[s.fileno()] = (s, n)
    poll.register(s, select.POLLIN)


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
for n in range(ADDRESSES * EACH):
    another(n)
print("there", flush=True)
while True:
    for fd, _ in poll.poll():
        s, n = held.pop(fd)
        poll.unregister(fd)
        s.close()
        time.sleep(0.01)	# it is the number of connections that is the subject, not this machine's speed
        another(n)
