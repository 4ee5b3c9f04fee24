"""The other side of Moorline's wire formats in plain Python, after docs/wire.md.

interop.py MOORLINE_PEER FORMAT   runs the conversations of that format with Moorline, in both directions, and what it must
                                  refuse or take.
"""

import socket
import struct
import subprocess
import sys
import tempfile

PATIENCE = 60
LARGEST = 200_000
MESSAGES = [b"one", b"", b"\0\xff between", bytes(range(97, 120)) * 4348, b"last"]


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)  # the polynomial 0x1edc6f41, reflected
        table.append(byte)
    return table


CRC32C_TABLE = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ CRC32C_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


class Stream:
    """A connected socket that reads as much as is asked for."""

    def __init__(self, connected):
        self.socket = connected
        self.socket.settimeout(PATIENCE)
        self.send = self.socket.sendall

    def read(self, size):
        """Exactly so many bytes; None at the end of the stream."""
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                assert not data, "the stream ended in the middle"
                return None
            data += part
        return data


class LengthFirst:
    def __init__(self, byte_order):
        self.length = struct.Struct(byte_order + "I")

    def begin(self, stream):
        pass

    def send(self, stream, message):
        stream.send(self.length.pack(len(message)) + message)

    def receive(self, stream):
        head = stream.read(4)
        return None if head is None else stream.read(self.length.unpack(head)[0])


class Lines:
    def begin(self, stream):
        pass

    def send(self, stream, message):
        stream.send(message + b"\n")

    def receive(self, stream):
        line = b""
        while (byte := stream.read(1)) != b"\n":
            if byte is None:
                return line or None
            line += byte
        return line[:-1] if line.endswith(b"\r") else line


class Checked:
    GREETING = struct.Struct(">4sHHIIB")

    def __init__(self, application=b"interop", version=7, magic=b"MOOR", protocol=1, damage=0):
        head = self.GREETING.pack(magic, protocol, 0, LARGEST, version, len(application)) + application
        self.greeting = head + struct.pack(">I", crc32c(head) ^ damage)

    def begin(self, stream):
        stream.send(self.greeting)
        head = stream.read(self.GREETING.size)
        magic, protocol, reserved, largest, version, length = self.GREETING.unpack(head)
        name = stream.read(length)
        assert (magic, protocol, reserved) == (b"MOOR", 1, 0), head
        assert (largest, version, name) == (LARGEST, 7, b"interop"), (head, name)
        assert struct.unpack(">I", stream.read(4))[0] == crc32c(head + name)

    def send(self, stream, message, damage=0):
        length = struct.pack(">I", len(message))
        stream.send(length + struct.pack(">I", crc32c(length + message) ^ damage) + message)

    def receive(self, stream):
        head = stream.read(8)
        if head is None:
            return None
        length, checksum = struct.unpack(">II", head)
        message = stream.read(length)
        assert checksum == crc32c(head[:4] + message)
        return message


class Raw:
    """No messages: what Moorline sends when no framing is asked for."""

    def begin(self, stream):
        pass

    def send(self, stream, message):
        stream.send(message)


FORMATS = {
    "big_endian": LengthFirst(">"),
    "little_endian": LengthFirst("<"),
    "lines": Lines(),
    "checked": Checked(),
    "raw": Raw(),
}


class Server:
    """Moorline, which sends back what comes."""

    def __init__(self, peer, directory, name):
        path = f"{directory}/server"
        self.process = subprocess.Popen([peer, "serve", path, name], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "listening\n"
        self.stream = Stream(socket.socket(socket.AF_UNIX))
        self.stream.socket.connect(path)

    def ends_with(self, expected):
        answer, _ = self.process.communicate(timeout=PATIENCE)
        assert answer == expected + "\n", f"Moorline's side ended with {answer}, not with {expected}"
        assert self.process.returncode == 0
        self.stream.socket.close()


def moorline_serves(peer, directory, name):
    codec = FORMATS[name]
    server = Server(peer, directory, name)
    codec.begin(server.stream)
    for message in MESSAGES:
        codec.send(server.stream, message)
        answer = server.stream.read(len(message)) if name == "raw" else codec.receive(server.stream)
        assert answer == message or (name == "raw" and not message), (answer, message)
    server.stream.socket.shutdown(socket.SHUT_WR)
    server.ends_with("DISCONNECTED")


def moorline_connects(peer, directory, name):
    codec = FORMATS[name]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{directory}/listener")
    listener.listen()
    listener.settimeout(PATIENCE)
    process = subprocess.Popen([peer, "connect", f"{directory}/listener", name], stdout=subprocess.PIPE, text=True)
    stream = Stream(listener.accept()[0])
    codec.begin(stream)
    if name == "raw":
        while part := stream.socket.recv(10_000):
            stream.send(part)
    else:
        while (message := codec.receive(stream)) is not None:
            codec.send(stream, message)
    answer, _ = process.communicate(timeout=PATIENCE)
    assert answer == "OK\n", f"Moorline's side ended with {answer}"
    assert process.returncode == 0
    stream.socket.close()
    listener.close()


def refused(peer, directory, name, data, expected):
    """Moorline ends the connection with that status, and says nothing after its greeting."""
    server = Server(peer, directory, name)
    server.stream.send(data)
    server.ends_with(expected)


def moorline_refuses(peer, directory, name):
    if name == "checked":
        whole = Checked().greeting
        for greeting, expected in [
            (Checked(version=8).greeting, "MISMATCH"),
            (Checked(application=b"another").greeting, "MISMATCH"),
            (Checked(protocol=2).greeting, "MISMATCH"),
            (Checked(magic=b"MOOT").greeting, "MISMATCH"),
            (Checked(damage=1).greeting, "MALFORMED"),
            (whole + struct.pack(">II", LARGEST + 1, 0), "MESSAGE_TOO_LARGE"),
            (whole + struct.pack(">II", 1, 0) + b"x", "MALFORMED"),
        ]:
            refused(peer, directory, name, greeting, expected)
    elif name == "lines":
        refused(peer, directory, name, b"x" * (LARGEST + 2), "MESSAGE_TOO_LARGE")
    elif name != "raw":
        refused(peer, directory, name, FORMATS[name].length.pack(LARGEST + 1), "MESSAGE_TOO_LARGE")


def moorline_takes_a_last_line_without_an_end(peer, directory, name):
    if name != "lines":
        return
    for data, lines in [(b"whole\nrest", [b"whole", b"rest"]), (b"rest\r", None)]:
        server = Server(peer, directory, name)
        server.stream.send(data)
        server.stream.socket.shutdown(socket.SHUT_WR)
        if lines is None:
            # A message that ends with a carriage return has no form as a line, so it cannot be sent back.
            server.ends_with("INVALID_ARGUMENT")
            continue
        for line in lines:
            answer = FORMATS[name].receive(server.stream)
            assert answer == line, (answer, line)
        server.ends_with("DISCONNECTED")


def main():
    peer, name = sys.argv[1:]
    assert crc32c(b"123456789") == 0xE3069283
    for conversation in [
        moorline_serves,
        moorline_connects,
        moorline_refuses,
        moorline_takes_a_last_line_without_an_end,
    ]:
        with tempfile.TemporaryDirectory() as directory:
            conversation(peer, directory, name)


main()
