"""Switches checksum and segmentation offload of interfaces off, so that captures show what a wire would carry: offload.py NAME..."""
import array, fcntl, socket, struct, sys

SIOCETHTOOL = 0x8946
# ETHTOOL_STXCSUM, SSG, STSO, SGSO, SGRO, SRXCSUM
COMMANDS = (0x17, 0x19, 0x1F, 0x24, 0x2C, 0x15)


def switch_off(names):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for name in names:
            for command in COMMANDS:
                value = array.array("B", struct.pack("II", command, 0))
                try:
                    fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP16x", name.encode(), value.buffer_info()[0]))
                except OSError as error:
                    if command != 0x15:
                        raise OSError(error.errno, f"offload {command:#x} of {name}: {error.strerror}")


if __name__ == "__main__":
    switch_off(sys.argv[1:])
