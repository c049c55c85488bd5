"""A parser whose optional folders may come before or after the flags."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


class CommandParser(argparse.ArgumentParser):
    """Of one command, such as `huidurep curate RESULT --merge 3,4 OUT`.

    Python before 3.12 takes OUT for left out at the first flag, and refuses it behind.
    """

    def _match_arguments_partial(self, actions: Sequence[argparse.Action], arg_strings_pattern: str) -> list[int]:
        counts = super()._match_arguments_partial(actions, arg_strings_pattern)
        # "O" is a flag, after which what is not there yet may come.
        while counts and counts[-1] == 0 and "O" in arg_strings_pattern:
            counts.pop()
        return counts
