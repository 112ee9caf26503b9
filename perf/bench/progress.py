"""What is going on, and for how long still."""
import sys
import time


class Progress:
    """`total_sec` is how long all of it is thought to take; who knows better sets `left_sec` on the way."""

    def __init__(self, total_sec):
        self.ends = time.monotonic() + total_sec
        self.is_terminal = sys.stderr.isatty()
        self.is_open = False

    def expect(self, left_sec):
        self.ends = time.monotonic() + left_sec

    def left(self):
        left = max(0, self.ends - time.monotonic())
        return f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left"

    def say(self, text):
        """A line that stays."""
        self.close()
        print(f"{text}  ({self.left()})", file=sys.stderr, flush=True)

    def show(self, text):
        """A line that the next one replaces; nothing where it could not be."""
        if self.is_terminal:
            print(f"\r\033[K{text}  ({self.left()})", end="", file=sys.stderr, flush=True)
            self.is_open = True

    def close(self):
        if self.is_open:
            print("\r\033[K", end="", file=sys.stderr)
            self.is_open = False
