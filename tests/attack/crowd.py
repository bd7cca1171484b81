"""crowd.py PORT : keeps 1600 connections from four addresses of the loopback open to 127.0.0.1:PORT, each as far as the first bytes of a
handshake, and opens another for each that the server ends. Prints "there" when all stand, and "N more" at SIGTERM."""
import os
import resource
import select
import signal
import socket
import sys

EACH = 400		# below LIMIT_HTTP_PER_IP
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(29)

resource.setrlimit(resource.RLIMIT_NOFILE, (4096, max(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
port, poll, held, more = int(sys.argv[1]), select.poll(), {}, 0


def another(n):
    s = socket.socket()
    s.bind(("127.0.0.%d" % (2 + n % 4), 0))
    s.settimeout(5)
    s.connect(("127.0.0.1", port))
    if n % 2:
        s.send(HELLO)
    held[s.fileno()] = (s, n)
    poll.register(s, select.POLLIN)


def end(*_):
    print(more, "more", flush=True)
    os._exit(0)


signal.signal(signal.SIGTERM, end)
for n in range(4 * EACH):
    another(n)
print("there", flush=True)
while True:
    for fd, _ in poll.poll():
        s, n = held.pop(fd)
        poll.unregister(fd)
        s.close()
        more += 1
        another(n)
