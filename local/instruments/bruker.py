"""Bruker-like .d folder: analysis.tdf is a real SQLite file that is filled while analysis.tdf_bin grows."""

import os
import sqlite3
import struct

from growing import GrowingFile, Pace

FRAME_MS = 100.0
SCANS_PER_FRAME = 709
MS1_EVERY = 5
MSMS_TYPE_DIA = 9

SCHEMA = """
CREATE TABLE GlobalMetadata (Key TEXT PRIMARY KEY, Value TEXT);
CREATE TABLE Frames (
    Id INTEGER PRIMARY KEY, Time REAL NOT NULL, Polarity CHAR(1) NOT NULL, ScanMode INTEGER NOT NULL,
    MsMsType INTEGER NOT NULL, TimsId INTEGER, MaxIntensity INTEGER NOT NULL, SummedIntensities INTEGER NOT NULL,
    NumScans INTEGER NOT NULL, NumPeaks INTEGER NOT NULL, AccumulationTime REAL NOT NULL, RampTime REAL NOT NULL);
CREATE TABLE DiaFrameMsMsInfo (Frame INTEGER PRIMARY KEY, WindowGroup INTEGER NOT NULL);
"""

METHOD_FILES = {
    "diaSettings.diasqlite": 3000,
    "microTOFQImpacTemAcquisition.method": 20000,
    "submethods.xml": 1200,
    "prmSettings.prmsqlite": 900,
}


def write_method(folder: str, rng, pace: Pace) -> None:
    os.mkdir(folder)
    for name, size in METHOD_FILES.items():
        with GrowingFile(os.path.join(folder, name), pace) as part:
            part.write_random(rng, size)


def metadata(name: str) -> list:
    return [
        ("SchemaType", "TDF"),
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


def frame(number: int, offset: int, rng) -> tuple:
    peaks = rng.randrange(2000, 200000)
    summed = peaks * rng.randrange(20, 200)
    kind = 0 if number % MS1_EVERY == 1 else MSMS_TYPE_DIA
    return (number, number * FRAME_MS / 1000, "+", 9, kind, offset, rng.randrange(1000, 100000), summed,
            SCANS_PER_FRAME, peaks, FRAME_MS, FRAME_MS)


def acquire(path: str, size: int, rng, pace: Pace) -> dict:
    os.mkdir(path)
    write_method(os.path.join(path, "1234.m"), rng, pace)
    frames = max(10, min(2000, size // 32768))
    block = max(16, size // frames)
    ms1 = ms2 = summed = 0
    with sqlite3.connect(os.path.join(path, "analysis.tdf")) as tdf:
        tdf.executescript(SCHEMA)
        tdf.executemany("INSERT INTO GlobalMetadata VALUES (?, ?)", metadata(os.path.basename(path)))
        with GrowingFile(os.path.join(path, "analysis.tdf_bin"), pace) as tdf_bin:
            for number in range(1, frames + 1):
                row = frame(number, tdf_bin.size, rng)
                tdf_bin.write(struct.pack("<II", block, SCANS_PER_FRAME))
                tdf_bin.write_random(rng, block - 8)
                tdf.execute("INSERT INTO Frames VALUES (" + ", ".join("?" * len(row)) + ")", row)
                if row[4] == MSMS_TYPE_DIA:
                    tdf.execute("INSERT INTO DiaFrameMsMsInfo VALUES (?, ?)", (number, number % MS1_EVERY))
                    ms2 += 1
                else:
                    ms1 += 1
                summed += row[7]
                if number % 20 == 0:
                    tdf.commit()
        tdf.commit()
    tdf.close()
    return {"ms1": ms1, "ms2": ms2, "summed_intensities": summed}
