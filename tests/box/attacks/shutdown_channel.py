import socket

from common import channel


def attack(facts):
    """Close the channel for both, with the descriptor open."""
    channel().shutdown(socket.SHUT_RDWR)
    return {}
