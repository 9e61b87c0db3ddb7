"""Model files are written atomically and verified before they are opened."""

import hashlib
from pathlib import Path

import pytest

from predictions.training.artefacts import ArtefactError, compute_digest, verify, write_aside


def write_trees(path: Path) -> None:
    path.write_bytes(b"trees")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_is_written_alone_and_its_digest_returned(tmp_path: Path) -> None:
    path = tmp_path / "models" / "one.skops"
    digest = write_aside(path, write_trees)
    assert path.read_bytes() == b"trees"
    assert digest == compute_digest(path) == hashlib.sha256(b"trees").hexdigest()
    assert names_in(path.parent) == ["one.skops"]


def test_old_file_remains_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "one.skops"
    path.write_bytes(b"old")

    def write(temporary: Path) -> None:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"

    write_aside(path, write)
    assert path.read_bytes() == b"new"


def test_failed_write_leaves_only_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "one.skops"
    path.write_bytes(b"old")

    def write(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        write_aside(path, write)
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["one.skops"]


def test_a_writer_that_writes_nothing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_aside(tmp_path / "one.skops", lambda temporary: None)
    assert names_in(tmp_path) == []


def test_the_recorded_file_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "one.skops"
    verify(path, write_aside(path, write_trees))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"the model file one\.skops is missing; train the mode again"):
        verify(tmp_path / "one.skops", "0" * 64)


@pytest.mark.parametrize("content", [b"tree", b"treeS", b"trees\n", b""])
def test_a_truncated_or_tampered_file_is_refused_unopened(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "one.skops"
    recorded = write_aside(path, write_trees)
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=rf"is not the one that was trained.*{recorded[:12]}.*not opened"):
        verify(path, recorded)


def test_folder_instead_of_a_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "one.skops").mkdir()
    with pytest.raises(ArtefactError, match="missing"):
        verify(tmp_path / "one.skops", "0" * 64)
