"""A service manager as small as can be: manager.py LOG [--socket NAME]... -- COMMAND...

Starts COMMAND as systemd would: NOTIFY_SOCKET (an abstract name), WATCHDOG_USEC of 2 s, a listening socket on a free port of 127.0.0.1
for each --socket, passed from descriptor 3 on. LOG gets "listening NAME PORT" for each, then every line that it is told, and at the
end "exit STATUS". SIGTERM and SIGHUP are passed on."""
import os
import select
import signal
import socket
import sys

log = open(sys.argv[1], "a", buffering=1)
at = sys.argv.index("--")
names = [sys.argv[i + 1] for i in range(2, at) if sys.argv[i] == "--socket"]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind("\0handsel-manager-%d" % os.getpid())
sockets = []
for name in names:
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(100)
    sockets.append(s)
    print("listening", name, s.getsockname()[1], file=log)
pid = os.fork()
if pid == 0:
    high = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(sockets)]
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i)
        os.close(fd)
    os.environ.update(NOTIFY_SOCKET="@handsel-manager-%d" % os.getppid(), WATCHDOG_USEC="2000000", WATCHDOG_PID=str(os.getpid()))
    if names:
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(names)), LISTEN_FDNAMES=":".join(names))
    os.execvp(sys.argv[at + 1], sys.argv[at + 1:])
for s in sockets:
    s.close()
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda n, _: os.kill(pid, n))
end = os.pidfd_open(pid)
done = False
while not done:
    ready = select.select([notify, end], [], [])[0]
    done = notify not in ready and end in ready
    if notify in ready:
        print(notify.recv(4096).decode(), file=log)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print("exit", status, file=log)
sys.exit(abs(status))
