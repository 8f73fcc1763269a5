"""A line without TLS ends at its deadline too."""

import socket
import time

import pytest

from gateway.outbound.line import Call
from gateway.outbound.loopback import LoopbackAdapter, _Socket


def test_once_the_deadline_has_passed_no_byte_leaves_and_none_is_read() -> None:
    here, there = socket.socketpair()
    with there, _Socket(fileno=here.detach()) as line:
        line.adapter = LoopbackAdapter()
        line.adapter.call = Call(deadline=time.monotonic())
        there.sendall(b"answer")
        with pytest.raises(TimeoutError):
            line.sendall(b"request")
        with pytest.raises(TimeoutError):
            line.recv_into(bytearray(9))
        there.settimeout(0.05)
        with pytest.raises(TimeoutError):
            there.recv(9)
        assert not line.adapter.call.has_spoken
