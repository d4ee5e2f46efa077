/**
 * The other host of netif_lab.ts: plain sockets, in Python.
 *
 * @module
 */

/** Tells everybody who asks, by TCP or UDP, the address that it sees. */
export const WHO = `
import socket, sys, threading
def name(peer):
    return peer[0].removeprefix("::ffff:").split("%")[0].encode()
def tcp(s):
    while True:
        c, peer = s.accept()
        threading.Thread(target=lambda c=c, peer=peer: (c.recv(99), c.sendall(name(peer)), c.recv(1))).start()
def udp(s):
    while True:
        data, peer = s.recvfrom(2000)
        s.sendto(name(peer), peer)
t = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
port = t.getsockname()[1]
# A socket for each address, so that answers come from the address that was asked.
for host in sys.argv[1:]:
    info = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    u = socket.socket(info[0], socket.SOCK_DGRAM)
    u.bind(info[4])
    threading.Thread(target=udp, args=(u,), daemon=True).start()
threading.Thread(target=tcp, args=(t,), daemon=True).start()
print("port", port)
sys.stdin.read()
`;

/** Tries to reach each of "proto host port", and prints the echo or "nothing". */
export const REACH = `
import socket, sys
for target in sys.argv[1:]:
    proto, host, port = target.split(" ")
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
    try:
        info = socket.getaddrinfo(host, int(port), type=kind)[0]
        s = socket.socket(info[0], kind)
        s.settimeout(2)
        s.connect(info[4])
        s.sendall(b"echo")
        print(target, s.recv(99).decode())
    except OSError:
        print(target, "nothing")
`;

/** Prints what comes to a port on each card, by name. */
export const HEAR = `
import socket, sys, threading
port, group = 0, sys.argv[1]
def hear(s, card):
    while True:
        data, peer = s.recvfrom(2000)
        print(card, "heard", data.decode())
for card, address in (a.split("=") for a in sys.argv[2:]):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card.encode())
    s.bind(("0.0.0.0", port))
    port = s.getsockname()[1]
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(address))
    threading.Thread(target=hear, args=(s, card), daemon=True).start()
print("port", port)
sys.stdin.read()
`;

/** Says something to each of "group or broadcast address=address of a card", by that card. */
export const SAY = `
import socket, sys
port = int(sys.argv[1])
for dest, address in (a.split("=") for a in sys.argv[2:]):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    s.bind((address, 0))
    s.sendto(("by " + address).encode(), (dest, port))
print("said")
`;
