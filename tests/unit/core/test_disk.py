"""Folders of the server's own, and what a full disk is to a caller."""

import errno

import pytest

from geminid.core.disk import disk, private_folder
from geminid.core.errors import Unavailable


def test_a_folder_that_is_made_is_its_owners_alone(tmp_path):
    made = private_folder(tmp_path / "a" / "b")
    assert oct(made.stat().st_mode & 0o777) == "0o700"


def test_a_folder_that_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "a").mkdir(mode=0o750)
    assert oct(private_folder(tmp_path / "a").stat().st_mode & 0o777) == "0o750"


def test_what_the_disk_says_is_told_without_a_path():
    with pytest.raises(Unavailable) as caught, disk():
        raise OSError(errno.ENOSPC, "No space left on device", "/secret/place")
    assert caught.value.message == "The server cannot keep these bytes now: No space left on device."
