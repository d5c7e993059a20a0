import io
import os
import zipfile

PARTS, PART_BYTES = 24, 1 << 20


def attack(facts):
    """Unpack 24 MB out of some 25 KB, to the disk and in memory."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(PARTS):
            archive.writestr(f"part{number}", bytes(PART_BYTES))
    try:
        zipfile.ZipFile(packed).extractall("unpacked")
    except OSError:
        pass
    unpacked = sum(entry.stat().st_blocks * 512 for entry in os.scandir("unpacked"))
    return {} if unpacked <= 9 << 20 else {"bytes": unpacked}
