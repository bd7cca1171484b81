# printer.py FOLDER : a label printer on a free port of 127.0.0.1, which it writes to FOLDER/port. It speaks ~HS and the one form of label that
# the station sends; anything else is noted in FOLDER/bad. What it prints is FOLDER/label-N.pbm; FOLDER/formats has a line for each label
# that it got. FOLDER/state says how it is, one word:
#   ok paper ribbon head paused full cold hot ram   prints, or says in ~HS why it does not
#   ends      takes a label, and finds no paper for it: from then on "paper"
#   mute      takes a label, finds no paper for it, and answers no ~HS from then on (state "deaf")
#   off       is switched off when it has got a label: forgets it, closes the connection, and is "ok" again
#   half      closes the connection in the middle of a label, and is "ok" again
#   slow      a label takes half a second
#   garbage short long deaf                         no ~HS: another program, half of it, more than it, nothing
import pathlib
import re
import socket
import sys
import threading
import time

folder = pathlib.Path(sys.argv[1])
lock = threading.Lock()
waiting = []
printed = 0
FORM = re.compile(rb"\^XA\^PW(\d+)\^LL(\d+)\^LH0,0\^LS0\^LT0\^PON\^FO0,0\^GFA,(\d+),(\d+),(\d+),([0-9A-F]*)\^FS\^PQ1,0,1,N\^XZ\r\n")


def state():
    return (folder / "state").read_text().strip()


def bad(what):
    with open(folder / "bad", "a") as f:
        f.write(what + "\n")


def set_state(word):
    (folder / "new").write_text(word)
    (folder / "new").rename(folder / "state")


def status():
    s = state()
    f = {k: int(s == k) for k in ("paper", "ribbon", "head", "paused", "full", "cold", "hot", "ram")}
    return (
        f"\x02030,{f['paper']},{f['paused'] | f['head']},0200,{len(waiting):03},{f['full']},0,0,000,{f['ram']},{f['cold']},{f['hot']}\x03\r\n"
        f"\x02000,0,{f['head']},{f['ribbon']},1,2,4,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n"
    ).encode()


def picture(label):
    width, height, total, again, stride, data = label.groups()
    width, height, total, again, stride = map(int, (width, height, total, again, stride))
    if total != again or stride != (width + 7) // 8 or total != stride * height or len(data) != 2 * total:
        bad(f"sizes: {width} {height} {total} {again} {stride} {len(data)}")
    return b"P4\n%d %d\n" % (width, height) + bytes.fromhex(data.decode())


def take(label):
    with lock:
        with open(folder / "formats", "a") as f:
            f.write("x\n")
        waiting.append(picture(label))
        if state() in ("ends", "mute"):
            set_state("paper" if state() == "ends" else "deaf")


def work():
    global printed
    while True:
        time.sleep(0.5 if state() == "slow" else 0.02)
        with lock:
            if waiting and state() in ("ok", "slow"):
                printed += 1
                (folder / "new.pbm").write_bytes(waiting.pop(0))
                (folder / "new.pbm").rename(folder / f"label-{printed}.pbm")


def answer(c):
    s = state()
    with lock:
        text = status()
    if s == "garbage":
        c.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 42\r\n\r\n" + b"x" * 42)
    elif s == "short":
        c.sendall(text[:41])
        return False
    elif s == "long":
        c.sendall(text + b"x")
    elif s != "deaf":
        c.sendall(text)
    return True


# What the bytes say; what is left of them, or None if the connection is over.
def understand(c, data):
    while data:
        label = FORM.match(data)
        if state() == "half" and len(data) > 1000:
            set_state("ok")
            return None
        if data.startswith(b"~HS"):
            data = data[3:]
            if not answer(c):
                return None
        elif label:
            data = data[label.end():]
            if state() == "off":
                set_state("ok")
                return None
            take(label)
        elif b"~HS".startswith(data) or (data.startswith(b"^XA"[:len(data)]) and b"^XZ\r\n" not in data):
            return data
        else:
            bad(f"not understood: {data[:60]!r}")
            return None
    return data


def serve(c):
    data = b""
    try:
        while data is not None:
            got = c.recv(65536)
            if not got:
                if data:
                    bad(f"left over: {data[:60]!r}")
                break
            data = understand(c, data + got)
    except ConnectionError:
        pass
    c.close()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=work, daemon=True).start()
(folder / "port.new").write_text(str(listener.getsockname()[1]))
(folder / "port.new").rename(folder / "port")
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
