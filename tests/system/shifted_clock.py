"""The clocks of one program, which a scenario lets jump: time_shift/, preloaded into it."""
import os
import struct

import lab


class ShiftedClock:
    def __init__(self, folder):
        self.file = folder / "shift"
        self.reset()

    def reset(self):
        """Before the program starts."""
        self.seconds = 0
        self.file.write_bytes(struct.pack("=q", 0))

    def advance(self, seconds):
        """Boot and wall time of the program run ahead by so much more; its monotonic time does not."""
        self.seconds += seconds
        with open(self.file, "r+b") as file:  # in place: the program has it mapped
            file.write(struct.pack("=q", self.seconds * 1_000_000_000))

    def environment(self):
        library = os.environ.get("FIRELINE_TIME_SHIFT_LIBRARY", str(lab.ROOT / "build/tests/system_time_shift.so"))
        lab.require(os.access(library, os.R_OK),
                    f"no library {library}: build system_time_shift, or name it in FIRELINE_TIME_SHIFT_LIBRARY")
        return {"LD_PRELOAD": library, "FIRELINE_TIME_SHIFT": str(self.file)}
