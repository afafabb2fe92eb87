"""Ctrl-C: the first asks the run to stop, the second ends the program."""

from __future__ import annotations

import os
import signal
from threading import current_thread, main_thread
from types import FrameType, TracebackType

from graphgen.control import Control

_TOLD = "cancelling: what is finished is kept; Ctrl-C again stops at once\n"


class Interrupt:
    """While this is entered, Ctrl-C and SIGTERM cancel `control`; a second one ends the program at once.

    The handler touches nothing that the interrupted code may be busy with: it sets a flag and writes to the terminal
    directly. `code` is the exit code of a program that ends by the signal that came.
    """

    def __init__(self, control: Control, *, live: bool) -> None:
        self.code = 128 + signal.SIGINT
        self._control = control
        self._came = False
        self._text = ("\n" if live else "") + _TOLD
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Interrupt:
        if current_thread() is main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and the like have decided otherwise
                    self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's signature
        self.code = 128 + number
        if self._came:
            os._exit(self.code)
        self._came = True
        self._control.cancel()
        os.write(2, self._text.encode())
