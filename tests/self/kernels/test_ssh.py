from __future__ import annotations

import pytest

from topology.errors import KernelUnavailable
from topology.kernels.registry import Wanted
from topology.kernels.ssh import SshKernel, refusal

END = "agent - the agent's hello - expected to arrive - seen [Errno 104] Connection reset by peer - "


@pytest.mark.parametrize(
    ("said", "right"),
    [
        (
            "Host key for h has changed and you have requested strict checking. / Host key verification failed.",
            "known;",
        ),
        ("Host key verification failed.", "a known host"),
        ("u@h: Permission denied (publickey,password).", "a key that it accepts"),
        ("ssh: Could not resolve hostname h: Name or service not known", "a name"),
        ("sudo: a password is required", "NOPASSWD"),
        ("sh: 1: exec: sudo: not found", "root"),
        ("bash: line 1: python3: command not found", "python3 there, 3.9 or newer"),
        ("python3 there is 3.6", "python3 there, 3.9 or newer"),
        ("ssh: connect to host h port 22: Connection timed out", "sshd there"),
    ],
)
def test_whatever_ssh_says_comes_with_what_would_be_right(said: str, right: str) -> None:
    """The message is in ssh's words alone, without ours about a stream."""
    expected, _, seen = refusal(END + said).partition(" - seen ")
    assert expected.startswith("expected ")
    assert right in expected
    assert seen == said


def test_login_shell_that_prints_is_blamed() -> None:
    """Words on the stream are no agent's."""
    words = "agent - frame - expected at most 16777216 bytes - seen 1466262627 and 1835363700"
    assert "nothing printed by its login shell" in refusal(words)


def test_nothing_there_outlives_the_connection() -> None:
    """A fabric cannot be kept on another machine; nobody is asked to log in for that."""
    with pytest.raises(KernelUnavailable, match="ends with the connection"):
        SshKernel.start(lambda _: pytest.fail("it logs in"), Wanted(keep=True, at="//h"))
