"""check.py URI DATABASE - load every document as AlphaKraken's programs do; a line for each that they would break on, exit 1.

Needs mongoengine: the test that runs it has a Python of its own for it.
"""

import datetime
import re
import sys

import mongoengine as me
from models import ALL, KrakenStatus, Metrics, ProjectSettings, RawFile, Settings

OF_THE_RAW_FILE = "status status_details instrument_id eta size_gb file_created".split()  # columns of the overview
STALE = datetime.timedelta(minutes=15)


def load(model) -> list:
    """One by one: the first bad document must not hide the others."""
    found, ids = [], [doc["_id"] for doc in model._get_collection().find({}, {"_id": 1})]
    for key in ids:
        try:
            doc = model._from_son(model._get_collection().find_one({"_id": key}))
            doc.validate()
            found.append(doc)
        except Exception as error:  # whatever it is, AlphaKraken's page shows it instead of its table
            yield f"{model._get_collection_name()} {key!r}: {error}"
    yield found


def is_there(doc, field: str) -> bool:
    try:
        return isinstance(getattr(doc, field), me.Document)
    except me.DoesNotExist:
        return False


def of_raw_file(doc) -> list:
    info = doc.file_info or {}
    if doc.backup_status == "copying_done" and not info:
        yield "is backed up and has no file_info: it is called not fixed yet"
    for path, item in info.items():
        if len(item) < 2 or not re.fullmatch("[0-9a-f]{32}", item[1] or ""):
            yield f"file_info of {path} is {item}: no MD5"


def of_metrics(doc) -> list:
    fields = doc.to_mongo()
    for name, value in fields.items():
        if name in OF_THE_RAW_FILE:
            yield f"has a metric {name}: it takes that column's place in the overview"
        if value is None:
            yield f"has no value for {name}: float(None) when files are filtered by it"
    if not is_there(doc, "raw_file"):
        yield f"refers to {fields.get('raw_file')}, which is not there"


def of_assignment(doc) -> list:
    if not is_there(doc, "settings"):
        yield f"refers to settings {doc.to_mongo().get('settings')}, which are not there"


def of_status(doc) -> list:
    age = datetime.datetime.utcnow() - doc.updated_at_
    if age > STALE:
        yield f"is {age} old: a stale alert"


def together(docs: dict) -> list:
    numbers = [doc.number for doc in docs[Settings]]
    if len(set(numbers)) != len(numbers):
        yield f"settings have the numbers {sorted(numbers)}: AlphaKraken's index of them is unique"
    known = {doc.id: doc.entity_type for doc in docs[KrakenStatus]}
    wanted = {"backup": "file_system", "output": "file_system", "file_remover": "job",
              **{doc.instrument_id: "instrument" for doc in docs[RawFile]}}
    for name, kind in wanted.items():
        if known.get(name) != kind:
            yield f"kraken_status has no {kind} {name}: the overview ends in a KeyError, alerts see nothing"


RULES = {RawFile: of_raw_file, Metrics: of_metrics, ProjectSettings: of_assignment, KrakenStatus: of_status}


def main(uri: str, database: str) -> int:
    me.connect(database, host=uri)
    problems, docs = [], {}
    for model in ALL:
        *bad, docs[model] = load(model)
        problems += bad
        for doc in docs[model]:
            problems += [f"{model._get_collection_name()} {doc.pk}: {why}" for why in RULES.get(model, lambda _: ())(doc)]
    problems += together(docs)
    print("\n".join(problems) or ", ".join(f"{len(found)} {model.__name__}" for model, found in docs.items()))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
