"""Generic instrument: valid mzML 1.1, indexed or plain, written spectrum by spectrum.

The odd acquisitions are indexed and give times in minutes, the even ones are plain and give seconds. Arrays take turns:
zlib or not, 32 or 64 bits; so a reader meets every form.
"""

import base64
import hashlib
import os
import random
import re
import struct
import zlib

from growing import GrowingFile, Pace, extend

PEAKS = 120
CYCLE = 4
SECONDS_PER_SPECTRUM = 0.25

CV = {
    "MS1": ("MS:1000579", "MS1 spectrum"),
    "MS2": ("MS:1000580", "MSn spectrum"),
    "minute": ("UO:0000031", "minute"),
    "second": ("UO:0000010", "second"),
}


def param(accession: str, name: str, value="", unit=None) -> str:
    ref = accession.split(":")[0]
    text = f'<cvParam cvRef="{ref}" accession="{accession}" name="{name}" value="{value}"'
    if unit:
        text += f' unitCvRef="{unit[0].split(":")[0]}" unitAccession="{unit[0]}" unitName="{unit[1]}"'
    return text + "/>"


MZ_UNIT = ("MS:1000040", "m/z")
COUNTS = ("MS:1000131", "number of detector counts")
MILLISECOND = ("UO:0000028", "millisecond")


def head(name: str, count: int, indexed: bool) -> str:
    space = 'xmlns="http://psi.hupo.org/ms/mzml"'
    first = '<?xml version="1.0" encoding="utf-8"?>\n' + (f"<indexedmzML {space}>\n" if indexed else "")
    return first + f"""<mzML {space} id="{name}" version="1.1.0">
<cvList count="2">
<cv id="MS" fullName="Proteomics Standards Initiative Mass Spectrometry Ontology" version="4.1.30" URI="psi-ms.obo"/>
<cv id="UO" fullName="Unit Ontology" version="09:04:2014" URI="unit.obo"/>
</cvList>
<fileDescription><fileContent>
{param(*CV["MS1"])}
{param(*CV["MS2"])}
</fileContent></fileDescription>
<softwareList count="1"><software id="simulate" version="1">{param("MS:1000799", "custom unreleased software tool", "simulate")}</software></softwareList>
<instrumentConfigurationList count="1"><instrumentConfiguration id="IC1">{param("MS:1000031", "instrument model")}</instrumentConfiguration></instrumentConfigurationList>
<dataProcessingList count="1"><dataProcessing id="DP1"><processingMethod order="0" softwareRef="simulate">{param("MS:1000544", "Conversion to mzML")}</processingMethod></dataProcessing></dataProcessingList>
<run id="{name}" defaultInstrumentConfigurationRef="IC1">
<spectrumList count="{count}" defaultDataProcessingRef="DP1">
"""


def tail(offsets: list, indexed: bool, at: int) -> str:
    text = "</spectrumList>\n</run>\n</mzML>\n"
    if indexed:
        where = at + len(text)
        rows = "".join(f'<offset idRef="scan={n + 1}">{offset}</offset>\n' for n, offset in enumerate(offsets))
        text += f'<indexList count="1">\n<index name="spectrum">\n{rows}</index>\n</indexList>\n'
        text += f"<indexListOffset>{where}</indexListOffset>\n<fileChecksum>"
    return text


def array(values: list, name: tuple, bits: int, packed: bool) -> str:
    data = struct.pack(f"<{len(values)}{'d' if bits == 64 else 'f'}", *values)
    if packed:
        data = zlib.compress(data)
    text = base64.b64encode(data).decode()
    width = ("MS:1000523", "64-bit float") if bits == 64 else ("MS:1000521", "32-bit float")
    form = ("MS:1000574", "zlib compression") if packed else ("MS:1000576", "no compression")
    return (f'<binaryDataArray encodedLength="{len(text)}">\n{param(*width)}\n{param(*form)}\n'
            f"{param(name[0], name[1], '', name[2])}\n<binary>{text}</binary>\n</binaryDataArray>\n")


def as_float32(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


def precursor(number: int, rng) -> str:
    target = round(rng.uniform(400, 1200), 4)
    return f"""<precursorList count="1"><precursor spectrumRef="scan={number - (number - 1) % CYCLE}">
<isolationWindow>{param("MS:1000827", "isolation window target m/z", target, MZ_UNIT)}
{param("MS:1000828", "isolation window lower offset", 1.0, MZ_UNIT)}{param("MS:1000829", "isolation window upper offset", 1.0, MZ_UNIT)}</isolationWindow>
<selectedIonList count="1"><selectedIon>{param("MS:1000744", "selected ion m/z", target, MZ_UNIT)}
{param("MS:1000041", "charge state", rng.randrange(2, 5))}</selectedIon></selectedIonList>
<activation>{param("MS:1000422", "beam-type collision-induced dissociation")}</activation>
</precursor></precursorList>
"""


def spectrum(number: int, unit: str, seed: str) -> tuple:
    """The text of one spectrum, its level and its total ion current. Depends on seed and number only."""
    rng = random.Random(f"{seed}/{number}")
    level = 1 if number % CYCLE == 1 else 2
    peaks = rng.randrange(PEAKS // 2, PEAKS * 2)
    bits, packed = (32, 64)[number % 2], number // 2 % 2 == 0
    masses = sorted(round(rng.uniform(100, 1600), 4) for _ in range(peaks))
    heights = [as_float32(rng.lognormvariate(8, 1.5)) for _ in range(peaks)]
    current, top = sum(heights), max(range(peaks), key=heights.__getitem__)
    start = (number - 1) * SECONDS_PER_SPECTRUM / (60 if unit == "minute" else 1)
    text = f"""<spectrum index="{number - 1}" id="scan={number}" defaultArrayLength="{peaks}">
{param(*CV["MS1" if level == 1 else "MS2"])}
{param("MS:1000511", "ms level", level)}
{param("MS:1000130", "positive scan")}
{param("MS:1000127", "centroid spectrum")}
{param("MS:1000504", "base peak m/z", masses[top], MZ_UNIT)}
{param("MS:1000505", "base peak intensity", repr(heights[top]), COUNTS)}
{param("MS:1000285", "total ion current", repr(current))}
<scanList count="1">{param("MS:1000795", "no combination")}<scan>
{param("MS:1000016", "scan start time", f"{start:.6f}", CV[unit])}
{param("MS:1000927", "ion injection time", round(rng.uniform(2, 50), 3), MILLISECOND)}
</scan></scanList>
"""
    if level == 2:
        text += precursor(number, rng)
    text += '<binaryDataArrayList count="2">\n'
    text += array(masses, ("MS:1000514", "m/z array", MZ_UNIT), bits, packed)
    text += array(heights, ("MS:1000515", "intensity array", COUNTS), 32, packed)
    return text + "</binaryDataArrayList>\n</spectrum>\n", level, current


class Memory:
    """What a file will hold."""

    def __init__(self):
        self.parts, self.size = [], 0

    def write(self, data: bytes) -> None:
        self.parts.append(data)
        self.size += len(data)


def acquire(path: str, size: int, rng, pace: Pace) -> dict:
    if not pace.manner.preallocate:
        with GrowingFile(path, pace) as out:
            return write(out, path, size, rng)
    memory = Memory()
    facts = write(memory, path, size, rng)
    with GrowingFile(path, pace, memory.size) as out:
        for part in memory.parts:
            out.write(part)
    return facts


def write(out, path: str, size: int, rng) -> dict:
    seed, number_in_series = str(rng.random()), int(re.findall(r"_(\d{4,})\.", os.path.basename(path))[-1])
    indexed = number_in_series % 2 == 1
    unit = "minute" if indexed else "second"
    sample = sum(len(spectrum(n, unit, seed)[0]) for n in range(1, 9)) // 8
    count = max(CYCLE, size // sample)
    levels, currents, offsets = {1: 0, 2: 0}, 0.0, []
    sha1 = hashlib.sha1()

    def put(text: str) -> None:
        sha1.update(text.encode())
        out.write(text.encode())

    put(head(os.path.basename(path).removesuffix(".mzML"), count, indexed))
    for number in range(1, count + 1):
        text, level, current = spectrum(number, unit, seed)
        offsets.append(out.size)
        put(text)
        levels[level] += 1
        currents += current
    put(tail(offsets, indexed, out.size))
    if indexed:
        out.write(f"{sha1.hexdigest()}</fileChecksum>\n</indexedmzML>\n".encode())
    return {"ms1": levels[1], "ms2": levels[2], "total_ion_current": currents, "time_unit": unit, "indexed": indexed}


def rewrite(path: str, rng) -> str:
    """The name of the software, which is as long as before."""
    with open(path, "r+b", buffering=0) as file:
        at = re.search(rb'software tool" value="\w{8}"', file.read(1 << 14)).end() - 9
        file.seek(at)
        before, name = file.read(8), b""
        while name in (b"", before):
            name = b"%08x" % rng.getrandbits(32)
        file.seek(at)
        file.write(name)
    return path


def append(path: str, rng) -> str:
    return extend(path, b"<!-- %016x -->\n" % rng.getrandbits(64))
