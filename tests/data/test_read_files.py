"""Pictures, molecules, sequences and arrays: folders, file names, several files, broken ones."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gnomon.data import cache
from gnomon.data._picture_file import pixels_of
from gnomon.data.read import names
from gnomon.data.read.dispatch import read_data, read_like, schema
from gnomon.data.table import Mapped, strings
from gnomon.errors import InputError


def picture(path, value=None, *, size=(12, 10), mode="L", seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    shape = size if mode == "L" else (*size, len(mode))
    pixels = rng.integers(0, 255, shape).astype(np.uint8) if value is None else np.full(shape, value, np.uint8)
    Image.fromarray(pixels).save(path)


def every(data, name="image"):
    return data.columns[name].take(np.arange(len(data)))


def test_class_folders(tmp_path):
    for i in range(12):
        picture(tmp_path / ["cat", "dog"][i % 2] / f"p{i}.png", i)
    (tmp_path / "README.md").write_text("about")
    data = read_data(tmp_path)
    assert data.targets == ("class",)
    assert data.columns["class"].spec.categories == ("cat", "dog")
    assert data.items == tuple(sorted(data.items))
    assert data.columns["image"].spec.shape == (1, 12, 10)
    for row, item in enumerate(data.items):
        assert (every(data)[row] == int(item.split("/p")[1][:-4])).all()


def test_parts_and_classes_in_folders(tmp_path):
    for part in ("train", "test"):
        for kind in ("a", "b"):
            for i in range(3):
                picture(tmp_path / part / kind / f"{i}.png", seed=i)
    data = read_data(tmp_path)
    assert data.named("split") == ("file:split",)
    assert data.targets == ("class",)


def test_groups_in_file_names(tmp_path):
    """Acceptance: P012_slice3.png is slice 3 of subject P012, and slices of a subject are one group."""
    rows = [(p, s) for p in range(8) for s in range(4)]
    for p, s in rows:
        picture(tmp_path / ["sick", "well"][p % 2] / f"P{p:03d}_slice{s}.png", seed=p * 10 + s)
    data = read_data(tmp_path)
    assert data.named("group") == ("file:subject",)
    found = [item.split("/")[1][:4] for item in data.items]
    assert list(strings(data.columns["file:subject"])) == found
    assert data.roles["file:slice"].role == "ignore"
    assert data.targets == ("class",)


@pytest.mark.parametrize(
    "form", ["scan{p}_tile_{s:02d}", "patient-{p}_{s}", "sub_{p}_view{s}", "mouse{p}.{s}", "A{p}-{s}"]
)
def test_groups_in_other_file_names(form, tmp_path):
    table = pd.DataFrame([{"p": p, "s": s, "y": p % 2} for p in range(9) for s in range(3)])
    table["file"] = [form.format(p=p, s=s) + ".png" for p, s in zip(table.p, table.s, strict=True)]
    for i, name in enumerate(table.file):
        picture(tmp_path / "pictures" / name, seed=i)
    table[["file", "y"]].to_csv(tmp_path / "t.csv", index=False)
    data = read_data(tmp_path, target="y")
    (group,) = data.named("group")
    codes = data.columns[group].take(np.arange(27))
    assert len(set(zip(codes, table.p, strict=True))) == 9 == len(set(codes))


def test_no_groups_where_names_only_number(tmp_path):
    for i in range(30):
        picture(tmp_path / ["a", "b"][i % 2] / f"img_{i:04d}.png", seed=i)
        picture(tmp_path / ["a", "b"][i % 2] / f"Covid-19_{i:04d}.png", seed=i + 99)
    assert read_data(tmp_path).named("group") == ()


def test_channels_and_depths_join(tmp_path):
    for well in ("B03", "B04", "C05"):
        for site in (1, 2):
            for w in (1, 2):
                for z in (1, 2, 10):
                    picture(tmp_path / f"{well}_s{site}_w{w}_z{z}.tif", w * 20 + z)
    (tmp_path / "C05_s2_w2_z10.tif").unlink()
    data = read_data(tmp_path)
    assert len(data) == 5
    assert data.columns["image"].spec.shape == (6, 12, 10)
    assert [int(every(data)[0, c, 0, 0]) for c in range(6)] == [21, 22, 30, 41, 42, 50]
    assert data.named("group") == ("file:well",)
    (corrupt,) = [f for f in data.findings if f.code == "LOOK-CORRUPT"]
    assert corrupt.rows == (5,)
    assert "5 of 6" in corrupt.claim


def test_sixteen_bit_many_channels_and_mixed_modes(tmp_path):
    import tifffile

    rng = np.random.default_rng(0)
    planes = rng.integers(0, 65535, (5, 16, 14)).astype(np.uint16)
    for i in range(3):
        tifffile.imwrite(tmp_path / "tif" / f"{i}.tif", planes + i) if (tmp_path / "tif").mkdir(
            exist_ok=True
        ) is None else None
    data = read_data(tmp_path / "tif")
    np.testing.assert_array_equal(every(data)[0], planes)
    assert data.columns["image"].spec.detail == "uint16"
    Image.fromarray(planes[0]).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(pixels_of(tmp_path / "deep.png")[0], planes[0])
    picture(tmp_path / "mixed" / "a.png", 7)
    picture(tmp_path / "mixed" / "b.png", 9, mode="RGB")
    picture(tmp_path / "mixed" / "c.png", 9, mode="RGBA")
    data = read_data(tmp_path / "mixed")
    assert data.columns["image"].spec.shape == (3, 12, 10)
    assert (every(data)[0] == 7).all()
    assert data.roles["file:mode"].role == "ignore"


def test_sizes_differ_is_said_and_broken_are_listed(tmp_path):
    for i in range(9):
        picture(tmp_path / f"{i}.png", 50 + i, size=(20 + 2 * i, 30))
    (tmp_path / "4.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (tmp_path / "7.png").write_bytes((tmp_path / "7.png").read_bytes()[:60])
    with pytest.raises(InputError, match="E-CORRUPT"):
        read_data(tmp_path)  # 2 of 9 is more than a fifth
    for i in range(10, 16):
        picture(tmp_path / f"{i}.png", 50 + i, size=(24, 30))
    data = read_data(tmp_path)
    found = {f.code: f for f in data.findings}
    order = sorted(f"{i}.png" for i in [*range(9), *range(10, 16)])
    assert found["LOOK-CORRUPT"].rows == tuple(sorted((order.index("4.png"), order.index("7.png"))))
    assert set(found["LOOK-CORRUPT"].items) == {"4.png", "7.png"}
    assert list(data.position) == [i for i, n in enumerate(order) if n not in ("4.png", "7.png")]
    assert "resized" in found["LOOK-KIND"].claim
    assert all((every(data)[r] == 50 + int(n[:-4])).all() for r, n in enumerate(data.items))


def test_large_folders_are_mapped_and_reused(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "IN_MEMORY", 100)
    for i in range(10):
        picture(tmp_path / "in" / f"{i}.png", i)
    first = read_data(tmp_path / "in", cache=tmp_path / "cache")
    column = first.columns["image"]
    assert isinstance(column, Mapped)
    assert column.nbytes == 0
    assert [int(p[0, 0, 0]) for p in column.take(np.array([3, 9, 3]))] == [3, 9, 3]
    (held,) = (tmp_path / "cache").glob("*.npy")
    before = held.stat().st_mtime_ns
    again = read_data(tmp_path / "in", cache=tmp_path / "cache")
    assert again.hash == first.hash
    assert held.stat().st_mtime_ns == before
    picture(tmp_path / "in" / "5.png", 99)
    assert read_data(tmp_path / "in", cache=tmp_path / "cache").hash != first.hash


def test_table_with_pictures(tmp_path):
    for i in range(10):
        picture(tmp_path / "images" / f"x{i}.png", i)
    frame = pd.DataFrame(
        {"image_id": [f"x{i}" for i in reversed(range(10))], "age": np.arange(10) * 1.5, "label": list("ab") * 5}
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    for source in (tmp_path, [tmp_path / "t.csv", tmp_path / "images"]):
        data = read_data(source)
        assert [int(p[0, 0, 0]) for p in every(data)] == list(reversed(range(10)))
        assert data.inputs == ("image", "age")
        assert data.roles["image_id"].role == "identifier"
        assert data.items[0] == "images/x9.png" if source == tmp_path else data.items[0].endswith("x9.png")
    frame["image_id"] += ".png"
    frame.loc[2, "image_id"] = "gone.png"
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = read_data(tmp_path / "t.csv")  # pictures are sought beside the table
    assert len(data) == 9
    assert [f.rows for f in data.findings if f.code == "LOOK-CORRUPT"] == [(2,)]
    frame["image_id"] = [f"nowhere{i}.png" for i in range(10)]
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match="E-IMAGES-ABSENT"):
        read_data(tmp_path / "t.csv")


def test_a_table_alone_finds_its_pictures_also_without_their_ending_and_past_masks(tmp_path):
    for i in range(6):
        picture(tmp_path / "images" / f"x{i}.png", i)
        picture(tmp_path / "labels" / f"x{i}.png", 9)
    for ending in (".png", ""):
        frame = pd.DataFrame({"name": [f"x{i}{ending}" for i in range(6)], "count": np.arange(6) * 1.5})
        frame.to_csv(tmp_path / "t.csv", index=False)
        data = read_data(tmp_path / "t.csv", target=("count",))
        assert data.inputs == ("image",) and [int(p[0, 0, 0]) for p in every(data)] == list(range(6))
    (tmp_path / "t.csv").write_text("name,count\n" + "\n".join(f"row {i},{i}" for i in range(6)))
    assert not read_data(tmp_path / "t.csv").of_kind("image")  # a table of something else in the same folder


def test_masks_are_no_class(tmp_path):
    for i in range(4):
        picture(tmp_path / "images" / f"{i}.png", seed=i)
        picture(tmp_path / "masks" / f"{i}.png", seed=i)
    data = read_data(tmp_path)
    assert len(data) == 4
    assert data.targets == ()


def idx(path, array):
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))


def test_idx_pairs_and_npz(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 255, (30, 8, 8)), np.arange(30) % 3
    idx(tmp_path / "train-images-idx3-ubyte.gz", x[:20])
    idx(tmp_path / "train-labels-idx1-ubyte.gz", y[:20])
    idx(tmp_path / "t10k-images-idx3-ubyte.gz", x[20:])
    idx(tmp_path / "t10k-labels-idx1-ubyte.gz", y[20:])
    data = read_data(sorted(tmp_path.glob("train*")))
    np.testing.assert_array_equal(every(data)[:, 0], x[:20])
    assert list(strings(data.columns["label"])) == [str(v) for v in y[:20]]
    whole = read_data(tmp_path)
    split = strings(whole.columns["file:split"])
    assert (split == "train").sum() == 20
    assert (split == "test").sum() == 10
    parts = {"train_images": x[:20], "train_labels": y[:20, None], "test_images": x[20:], "test_labels": y[20:, None]}
    np.savez(tmp_path / "m.npz", **{k: v.astype(np.uint8) for k, v in parts.items()})
    medical = read_data(tmp_path / "m.npz")
    np.testing.assert_array_equal(every(medical)[:, 0], x)
    assert medical.named("split") == ("file:split",)
    np.savez(tmp_path / "bad.npz", images=x, labels=y[:5])
    with pytest.raises(InputError, match="E-ARRAYS"):
        read_data(tmp_path / "bad.npz")
    same = read_data({"images": x.astype(np.uint8), "labels": y})
    np.testing.assert_array_equal(every(same)[:, 0], x)


SMILES = ["CCO", "c1ccccc1", "CC(=O)O", "CCN", "C1CCCCC1", "O=C=O", "CC(C)C", "c1ccncc1", "CCCl", "CC#N"] * 3


def test_molecules(tmp_path):
    pytest.importorskip("rdkit")
    frame = pd.DataFrame({"drug": SMILES, "v": np.arange(30.0)})
    data = read_data(frame)
    assert data.kind("drug") == "molecule"
    frame.loc[[4, 11], "drug"] = ["C1CC(", "not a molecule"]
    data = read_data(frame)
    (corrupt,) = [f for f in data.findings if f.code == "LOOK-CORRUPT"]
    assert corrupt.rows == (4, 11)
    assert len(data) == 28
    assert 4 not in data.position
    frame.loc[:9, "drug"] = "C1CC("
    with pytest.raises(InputError, match="E-CORRUPT"):
        read_data(frame.rename(columns={"drug": "smiles"}))
    (tmp_path / "active.smi").write_text("\n".join(SMILES[:15]))
    (tmp_path / "decoy.smi").write_text("\n".join(SMILES[15:]))
    both = read_data([tmp_path / "active.smi", tmp_path / "decoy.smi"])
    assert both.targets == ("class",)
    assert both.columns["class"].spec.categories == ("active", "decoy")


def test_sdf(tmp_path):
    chem = pytest.importorskip("rdkit.Chem")
    path = tmp_path / "m.sdf"
    with chem.SDWriter(str(path)) as out:
        for i, text in enumerate(SMILES):
            molecule = chem.MolFromSmiles(text)
            molecule.SetProp("_Name", f"m{i}")
            molecule.SetProp("logS", str(i / 10))
            out.write(molecule)
    text = path.read_text().split("$$$$\n")
    text[3] = text[3].replace(" C  ", " Qq ")
    (tmp_path / "m.sdf.gz").write_bytes(gzip.compress("$$$$\n".join(text).encode()))
    data = read_data(path)
    assert list(strings(data.columns["molecule"])) == [chem.CanonSmiles(s) for s in SMILES]
    np.testing.assert_allclose(data.columns["logS"].take(np.arange(30)), np.arange(30) / 10)
    broken = read_data(tmp_path / "m.sdf.gz")
    assert [f.rows for f in broken.findings if f.code == "LOOK-CORRUPT"] == [(3,)]
    new, messages = read_like(schema(data), pd.DataFrame({"smiles": ["CCO", "CCC"]}))
    assert list(strings(new.columns["molecule"])) == ["CCO", "CCC"]
    assert "'smiles' is read as 'molecule'" in messages[0]


def dna(n, seed=0, length=40):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("ACGT"), length)) for _ in range(n)]


def test_fasta_by_file_uses_no_header(tmp_path):
    for kind, seed in (("enhancer", 0), ("other", 1)):
        text = "".join(f">{kind}_{i} label={i % 2}\n{s[:20]}\n{s[20:]}\n" for i, s in enumerate(dna(10, seed)))
        (tmp_path / f"train_{kind}.fasta").write_text(text)
    data = read_data(sorted(tmp_path.glob("*.fasta")))
    assert data.columns["class"].spec.categories == ("enhancer", "other")
    assert set(data.columns) == {"sequence", "id", "class"}
    assert data.roles["id"].role == "identifier"
    assert data.columns["sequence"].spec.detail == "DNA"
    assert data.columns["sequence"].spec.categories == tuple("ACGT")
    assert strings(data.columns["sequence"])[0] == dna(1)[0]


@pytest.mark.parametrize("form", [">s{i}|{y}", ">s{i} label={y}", ">s{i} {y}", ">s{i} set=x class:{y}"])
def test_labels_in_headers(form, tmp_path):
    path = tmp_path / "s.fa.gz"
    lines = [form.format(i=i, y=["on", "off"][i % 2]) + f"\n{s}\n" for i, s in enumerate(dna(20))]
    path.write_bytes(gzip.compress("".join(lines).encode()))
    data = read_data(path)
    (target,) = data.targets
    assert list(strings(data.columns[target]))[:2] == ["on", "off"]


def test_sequence_columns_and_mixed_alphabets():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"oligo": dna(50), "v": rng.normal(size=50)})
    frame["chain"] = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), rng.integers(10, 40))) for _ in range(50)]
    frame["rna"] = [s.replace("T", "U").lower() for s in dna(50, 3)]
    data = read_data(frame)
    assert [data.columns[c].spec.detail for c in ("oligo", "chain", "rna")] == ["DNA", "protein", "RNA"]
    assert set(strings(data.columns["rna"])[0]) <= set("ACGU")
    frame.loc[[2, 5], "oligo"] = ["ACGTMKTAYIAKQRQISFVKSHFSRQ", "ACGU" * 10]
    data = read_data(frame[["oligo", "v"]])
    assert [f.rows for f in data.findings if f.code == "LOOK-CORRUPT"] == [(2, 5)]
    words = pd.DataFrame({"state": ["POSITIVE", "NEGATIVE", "CAT"] * 10, "gene": ["TP53", "KRAS", "EGFR"] * 10})
    assert {read_data(words).kind(c) for c in words} == {"category"}


def test_records_with_lists_become_rows(tmp_path):
    lines = "".join(
        f'{{"doc": "d{i}", "sentences": ["one of {i}", "two of {i}"], "labels": ["a", "b"], "meta": {{"x": {i}}}}}\n'
        for i in range(12)
    )
    (tmp_path / "t.jsonl").write_text(lines)
    data = read_data(tmp_path / "t.jsonl")
    assert len(data) == 24
    assert data.targets == ("labels",)
    assert data.named("group")[-1] == "record"
    assert list(data.columns["record position"].take(np.arange(4))) == [0, 1, 0, 1]
    assert data.columns["meta.x"].take(np.array([3]))[0] == 1


def test_text_folders(tmp_path):
    for kind in ("ham", "spam"):
        for i in range(4):
            path = tmp_path / kind / f"{i}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"a letter of some words number {i}")
    data = read_data(tmp_path)
    assert data.inputs == ("text",)
    assert data.targets == ("class",)


def test_names():
    assert names.parts_and_classes(["train_enhancer.fasta", "train_other.fasta"])[1] == ["enhancer", "other"]
    assert names.parts_and_classes(["x_train.csv", "x_val.csv", "x_test.csv.gz"])[0] == ["train", "valid", "test"]
    assert names.fields(["plate1_A01_s1.tif", "plate1_A02_s2.tif"]) == {"well": ["A01", "A02"], "site": ["1", "2"]}
    assert names.fields(["exp7_B03_s2_w1_z4.tif", "exp8_B03_s2_w1_z4.tif"]) == {"plate": ["exp7", "exp8"]}


# real data, where it is at hand

REAL = {
    "molecules_bace/bace.csv": "smiles=molecule input; CID=text identifier; Class=category target; pIC50=number input; "
    "published_split=category split",
    "crispr_azimuth/azimuth.csv": "30mer=sequence input; Target gene=category group",
    "protein_gb1/gb1.csv.gz": "sequence=sequence input; target=number target; set_sampled=category split",
    "protein_dms/pab1.csv.gz": "variant=text input; split=category split",
    "peptides_antimicrobial/peptides.csv": "sequence=sequence input",
    "reactions_buchwald/first_300_of_test1.xlsx": "Ligand=molecule input; Base=molecule input; Output=number target",
    "materials_matbench/expt_is_metal.csv": "formula=text input; target=category target",
    "timeseries_beijing_pm25/beijing_pm25.csv.gz": "No=number identifier; year-month-day-hour=date time",
    "images_covid_hannover": "image=image input; patient_id=category group; image_id=text identifier",
    "images_satellite": "image=image input; class=category target",
    "images_pneumonia/pneumoniamnist.npz": "image=image input; label=category target; file:split=category split",
    "dna_enhancers": "sequence=sequence input; class=category target; file:split=category split",
    "text_citation_intent": "text=text input; label=category target; file:split=category split",
    "molecules_solubility_sdf": "molecule=molecule input; SOL=number input; ID=number identifier",
    "omics_rosmap/mrna_train.csv.gz": "ENSG00000161896.6=number input",
    "pairs_davis": "smiles=molecule input; sequence=sequence input; drug=category group",
}


@pytest.mark.parametrize("source", REAL)
def test_real_data(source, shared_data):
    data = read_data(shared_data / source)
    expected = dict(part.split("=") for part in REAL[source].split("; "))
    assert {n: f"{data.kind(n)} {data.roles[n].role}" for n in expected} == expected
    assert not [f for f in data.findings if f.code == "LOOK-CORRUPT"]
