"""What a file is: told from its first bytes where they are telling, then from its extension."""

from __future__ import annotations

from pathlib import Path

from gnomon.errors import InputError

EXTENSIONS = {
    "delimited": ("csv", "tsv", "tab", "txt", "dat", "data"),
    "arrow": ("parquet", "pq", "feather", "arrow"),
    "excel": ("xlsx", "xlsm", "xls"),
    "json": ("json", "jsonl", "ndjson"),
    "fasta": ("fa", "fasta", "fna", "faa", "ffn", "fas", "frn"),
    "smi": ("smi", "smiles", "ism"),
    "sdf": ("sdf", "sd", "mol"),
    "arrays": ("npz", "npy", "mat"),
    "image": ("png", "jpg", "jpeg", "tif", "tiff", "bmp", "gif", "webp"),
}
ARROW = (b"PAR1", b"ARROW1", b"FEA1")
ARRAYS = (b"\x93NUMPY", b"MATLAB")
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"GIF8", b"II+\x00", b"MM\x00+")
BITMAP = b"BM"  # two letters that text may begin with too: only with a picture's extension


def form(path: Path) -> str:
    """One of EXTENSIONS' names, or "idx"; "" when unknown."""
    from gnomon.data.read._sniff import head

    start = head(path, 512)
    if start.startswith(ARROW):
        return "arrow"
    if start.startswith(b"PK\x03\x04"):
        return _zipped(path)
    if start.startswith(ARRAYS):
        return "arrays"
    if start.startswith(OLD_EXCEL):
        return "excel"
    known = by_extension(path)
    if start.startswith(PICTURES) or (start.startswith(BITMAP) and known == "image"):
        return "image"
    if len(start) > 4 and start[:2] == b"\x00\x00" and start[2] in (8, 9, 11, 12, 13, 14) and 1 <= start[3] <= 4:
        return "idx"
    if start[:1] == b">" and b"\n" in start:
        return "fasta"
    text = start.lstrip(b"\xef\xbb\xbf \r\n\t")
    if known in ("", "delimited") and text[:1] in (b"{", b"[") and (text[:2] != b"[," and b'"' in text):
        return "json"
    return known or ("delimited" if start and b"\x00" not in start else "")


def by_extension(path: Path) -> str:
    """The form an extension stands for (that before .gz); "" when unknown."""
    suffixes = [s.lower().lstrip(".") for s in path.suffixes if s.lower() != ".gz"]
    last = suffixes[-1] if suffixes else ""
    return next((name for name, words in EXTENSIONS.items() if last in words), "")


def _zipped(path: Path) -> str:
    """Workbooks and npz archives are zip files: told by what is in them."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
    except zipfile.BadZipFile:
        raise InputError(
            "E-UNREADABLE", f"{path} begins like a zip file but cannot be opened", do="copy the file again"
        ) from None
    if any(n.startswith("xl/") for n in names):
        return "excel"
    return "arrays" if any(n.endswith(".npy") for n in names) else ""
