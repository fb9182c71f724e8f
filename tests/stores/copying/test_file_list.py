import pytest
from visiona.stores.copying.errors import CopyRefused
from visiona.stores.copying.file_list import (
    FilesEntry,
    FilesState,
    Missing,
    contents_of,
    from_document,
    from_list,
    to_document,
    to_list,
    without_files,
)
from visiona.stores.copying.rows import Digest
from visiona.stores.files.interfaces import FileRef

ONE = FileRef("model-00000001", 5, "a" * 64)
SAME = FileRef("model-00000002", 5, "a" * 64)
OTHER = FileRef("model-00000003", 0, "b" * 64)


def test_a_list_is_read_as_it_was_written() -> None:
    lines = to_list([ONE, SAME, OTHER])
    assert lines.startswith(b'["model-00000001",5,"aaaa')
    assert from_list(lines.splitlines()) == [ONE, SAME, OTHER]
    assert to_list([]) == b""


def test_files_of_one_content_are_one() -> None:
    assert [ref.sha256 for ref in contents_of([ONE, SAME, OTHER])] == [ONE.sha256, OTHER.sha256]


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"7", b"null", b'["model-00000001",5]', b'["../../../etc/passwd",5,"%b"]' % (b"a" * 64)]
    + [b'["model-00000001",%b,"%b"]' % (size, b"a" * 64) for size in (b"-1", b"5.0", b"true", b'"5"')],
)
def test_lines_of_others_are_damage(line: bytes) -> None:
    with pytest.raises(CopyRefused) as caught:
        from_list([line])
    assert caught.value.code == "BACKUP_DAMAGED"


def test_what_the_manifest_says_comes_back() -> None:
    entry = FilesEntry(FilesState.INCLUDED, 2, 5, Digest(3, "c" * 64), 1, (Missing("id", "yolo", "damaged"),))
    assert from_document(to_document(entry)) == entry
    for state in FilesState:
        assert from_document(to_document(without_files(state))).state is state
