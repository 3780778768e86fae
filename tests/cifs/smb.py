"""smb.py PORT HOW PATH STOP [SHARE] - another SMB client, as an instrument's software is one: keeps a file open until STOP exists.

HOW: read (SHARE says what others may do meanwhile: 1 read, 2 write, 4 delete; 7 all, 0 nothing), append (one kilobyte at
once), grow (one every half second), rewrite (in place, all of it, again and again). Prints "held", then the size it wrote.
"""

import os
import sys
import time

from impacket.smb3structs import FILE_OPEN_IF, FILE_READ_DATA, FILE_WRITE_DATA
from impacket.smbconnection import SMBConnection

KIB = 1024
port, how, path, stop = int(sys.argv[1]), sys.argv[2], sys.argv[3].replace("/", "\\"), sys.argv[4]
share = int(sys.argv[5]) if len(sys.argv) > 5 else 7


def size_of(connection, tree, file) -> int:
    for found in connection.listPath("share", path):
        return found.get_filesize()
    return 0


connection = SMBConnection("127.0.0.1", "127.0.0.1", sess_port=port, preferredDialect=0x0300)
connection.login("guest", "")
tree = connection.connectTree("share")
access = FILE_READ_DATA | (0 if how == "read" else FILE_WRITE_DATA)
file = connection.openFile(tree, path, desiredAccess=access, shareMode=share, creationDisposition=FILE_OPEN_IF)
size, turn = size_of(connection, tree, file), 0
if how == "append":
    connection.writeFile(tree, file, b"a" * KIB, size)
print("held", flush=True)
while not os.path.exists(stop):
    turn += 1
    if how == "grow":
        connection.writeFile(tree, file, bytes([turn % 256]) * KIB, size)
        size += KIB
        print(size, flush=True)
        time.sleep(0.4)
    if how == "rewrite":
        for at in range(0, size, 64 * KIB):
            connection.writeFile(tree, file, bytes([turn % 256]) * min(64 * KIB, size - at), at)
        print(turn, flush=True)
    time.sleep(0.1)
connection.closeFile(tree, file)
