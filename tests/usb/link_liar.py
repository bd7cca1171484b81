# link_liar.py AGENT-ARGUMENTS... : in the place of an agent: $REAL_AGENT with one frame changed on its way to the station. $LIE is FRAME:HOW:
# its type (protocol-link L2), and "garbage" for its bytes, "short" for half of them, or another type, with which a byte string of 32 goes.
import os
import socket
import struct
import subprocess
import sys
import threading

at = sys.argv.index("--fd") + 1
station = socket.socket(fileno=int(sys.argv[at]))
ours, agents = socket.socketpair()
command = [os.environ["REAL_AGENT"]] + sys.argv[1:]
command[at] = str(agents.fileno())
agent = subprocess.Popen(command, pass_fds=[agents.fileno()])
agents.close()
lie_type, lie_how = os.environ["LIE"].split(":")


def down():
    while block := station.recv(65536):
        ours.sendall(block)
    ours.shutdown(socket.SHUT_WR)


def changed(kind, channel, payload):
    if kind == int(lie_type):
        if lie_how == "garbage":
            payload = payload[:4] + os.urandom(len(payload) - 4)
        elif lie_how == "short":
            payload = payload[: len(payload) // 2]
        else:
            kind, payload = int(lie_how), struct.pack(">I", 32) + os.urandom(32)
    return struct.pack(">BBHI", kind, 0, channel, len(payload)) + payload


threading.Thread(target=down, daemon=True).start()
waiting = b""
while block := ours.recv(65536):
    waiting += block
    while len(waiting) >= 8:
        kind, _, channel, length = struct.unpack(">BBHI", waiting[:8])
        if len(waiting) < 8 + length:
            break
        station.sendall(changed(kind, channel, waiting[8 : 8 + length]))
        waiting = waiting[8 + length :]
sys.exit(agent.wait())
