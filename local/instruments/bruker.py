"""Bruker-like .d folder: analysis.tdf is a real SQLite file that is filled while analysis.tdf_bin grows, or comes last.

With TIMS off, as by MALDI, the pair is called analysis.tsf and analysis.tsf_bin.
"""

import contextlib
import os
import sqlite3
import struct

from growing import GrowingFile, Pace, extend, note, scribble

FRAME_MS = 100.0
SCANS_PER_FRAME = 709
MS1_EVERY = 5
MSMS_TYPE_DIA = 9

FRAMES = {
    "Id": "INTEGER PRIMARY KEY", "Time": "REAL NOT NULL", "Polarity": "CHAR(1) NOT NULL", "ScanMode": "INTEGER NOT NULL",
    "MsMsType": "INTEGER NOT NULL", "TimsId": "INTEGER", "MaxIntensity": "INTEGER NOT NULL",
    "SummedIntensities": "INTEGER NOT NULL", "NumScans": "INTEGER NOT NULL", "NumPeaks": "INTEGER NOT NULL",
    "AccumulationTime": "REAL NOT NULL", "RampTime": "REAL NOT NULL"}
OF_TIMS = ("NumScans", "AccumulationTime", "RampTime")

METHOD_FILES = {
    "diaSettings.diasqlite": 3000,
    "microTOFQImpacTemAcquisition.method": 20000,
    "submethods.xml": 1200,
    "prmSettings.prmsqlite": 900,
}


SAMPLE_INFO = """<?xml version="1.0" encoding="utf-8"?>
<SampleTable><Sample><Property Name="SampleID" Value="%s"/></Sample></SampleTable>
"""


def write_method(folder: str, rng, pace: Pace) -> None:
    os.mkdir(folder)
    for name, size in METHOD_FILES.items():
        with GrowingFile(os.path.join(folder, name), pace, size) as part:
            part.write_random(rng, size)


def metadata(name: str, kind: str) -> list:
    return [
        ("SchemaType", kind.upper()),
        ("SchemaVersionMajor", "3"),
        ("TimsCompressionType", "2"),
        ("AcquisitionSoftware", "timsTOF"),
        ("InstrumentName", "simulated timsTOF"),
        ("SampleName", name),
        ("MzAcqRangeLower", "100.0"),
        ("MzAcqRangeUpper", "1700.0"),
        ("OneOverK0AcqRangeLower", "0.6"),
        ("OneOverK0AcqRangeUpper", "1.6"),
    ]


def kind_of(path: str) -> str:
    return "tsf" if os.path.exists(os.path.join(path, "analysis.tsf")) else "tdf"


def frame(number: int, offset: int, rng) -> dict:
    peaks = rng.randrange(2000, 200000)
    summed = peaks * rng.randrange(20, 200)
    kind = 0 if number % MS1_EVERY == 1 else MSMS_TYPE_DIA
    return {"Id": number, "Time": number * FRAME_MS / 1000, "Polarity": "+", "ScanMode": 9, "MsMsType": kind, "TimsId": offset,
            "MaxIntensity": rng.randrange(1000, 100000), "SummedIntensities": summed, "NumScans": SCANS_PER_FRAME,
            "NumPeaks": peaks, "AccumulationTime": FRAME_MS, "RampTime": FRAME_MS}


def insert(index, row: dict, kind: str) -> None:
    row = {name: value for name, value in row.items() if kind == "tdf" or name not in OF_TIMS}
    index.execute(f"INSERT INTO Frames ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
    if row["MsMsType"] == MSMS_TYPE_DIA:
        index.execute("INSERT INTO DiaFrameMsMsInfo VALUES (?, ?)", (row["Id"], row["Id"] % MS1_EVERY))


def create(index, name: str, kind: str) -> None:
    columns = ", ".join(f"{column} {of}" for column, of in FRAMES.items() if kind == "tdf" or column not in OF_TIMS)
    index.executescript(f"""
        CREATE TABLE GlobalMetadata (Key TEXT PRIMARY KEY, Value TEXT);
        CREATE TABLE Frames ({columns});
        CREATE TABLE DiaFrameMsMsInfo (Frame INTEGER PRIMARY KEY, WindowGroup INTEGER NOT NULL);
        """)
    index.executemany("INSERT INTO GlobalMetadata VALUES (?, ?)", metadata(name, kind))


def fill(path: str, size: int, rng, pace: Pace, index, kind: str) -> dict:
    """The data, and the index of it."""
    frames = max(10, min(2000, size // 32768))
    block = max(16, size // frames)
    facts = {"ms1": 0, "ms2": 0, "summed_intensities": 0}
    with GrowingFile(os.path.join(path, f"analysis.{kind}_bin"), pace, frames * block) as data:
        for number in range(1, frames + 1):
            row = frame(number, data.size, rng)
            data.write(struct.pack("<II", block, SCANS_PER_FRAME))
            data.write_random(rng, block - 8)
            insert(index, row, kind)
            facts["ms2" if row["MsMsType"] == MSMS_TYPE_DIA else "ms1"] += 1
            facts["summed_intensities"] += row["SummedIntensities"]
            if number % 20 == 0:
                index.commit()
    index.commit()
    return facts


def write_late(path: str, index: bytes, rng, pace: Pace, kind: str) -> None:
    pace.wait_late()
    with GrowingFile(os.path.join(path, f"analysis.{kind}"), pace, len(index)) as out:
        out.write(index)
    info = (SAMPLE_INFO % os.path.basename(path)).encode()
    with GrowingFile(os.path.join(path, "SampleInfo.xml"), pace, len(info)) as out:
        out.write(info)
    write_method(os.path.join(path, "1.m"), rng, pace)


def acquire(path: str, size: int, rng, pace: Pace) -> dict:
    kind = "tsf" if pace.manner.tims_off else "tdf"
    late = pace.manner.late_s is not None
    os.mkdir(path)
    write_method(os.path.join(path, "1234.m"), rng, pace)
    where = ":memory:" if late else os.path.join(path, f"analysis.{kind}")
    with contextlib.closing(sqlite3.connect(where)) as index:
        create(index, os.path.basename(path), kind)
        facts = fill(path, size, rng, pace, index, kind)
        if late:
            write_late(path, index.serialize(), rng, pace, kind)
    return facts


def rewrite(path: str, rng) -> str:
    """The end of the last frame."""
    data = os.path.join(path, f"analysis.{kind_of(path)}_bin")
    return scribble(data, rng, os.path.getsize(data))


def append(path: str, rng) -> str:
    """One more frame, in the data and in the index."""
    kind = kind_of(path)
    data, index = (os.path.join(path, f"analysis.{kind}{end}") for end in ("_bin", ""))
    offset = os.path.getsize(data)
    extend(data, struct.pack("<II", 16, SCANS_PER_FRAME) + rng.randbytes(8))
    with contextlib.closing(sqlite3.connect(index)) as rows:
        number = rows.execute("SELECT MAX(Id) FROM Frames").fetchone()[0] + 1
        insert(rows, frame(number, offset, rng), kind)
        rows.commit()
    return data


def add(path: str, rng) -> str:
    """What a processing method has written."""
    folder = os.path.join(path, f"{rng.randrange(10**6)}.m")
    os.makedirs(folder, exist_ok=True)
    return note(os.path.join(folder, "DataAnalysis.method"), rng.randbytes(1000))
