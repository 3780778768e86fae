"""The local store refuses what MongoDB refuses, and every query of Trawl's that no index serves."""

from harness import *
from mongo import Int32, MongoError

BIG = "x" * (9 << 20)


class Scratch:
    """A database of its own: as anybody, and as a program of Trawl's."""

    def __enter__(self):
        uri, name = os.environ["TRAWL_MONGO_URI"], f"t_strict_{os.getpid()}_{time.time_ns()}"
        self.db, self.trawl = Mongo(uri, name), Mongo(uri, name, "trawl-test")
        self.ask = lambda doc: self.trawl.command({**doc, "maxTimeMS": 10000})
        if not self.is_local():
            skip("TRAWL_MONGO_URI names another server than the local store")
        return self

    def __exit__(self, *_):
        self.db.drop()

    def is_local(self):
        try:
            return bool(self.db.command({"queryCosts": 1}))
        except MongoError:
            return False

    def index(self, name, key, **options):
        self.db.command({"createIndexes": "things", "indexes": [{"name": name, "key": key, **options}]})

    def fill(self, n=200):
        self.index("by_group", {"group": 1, "at": -1, "_id": -1})
        self.index("by_name", {"name": 1}, sparse=True)
        self.index("open_only", {"open": 1, "at": 1}, partialFilterExpression={"open": True})
        self.db.command({"insert": "things", "documents": [
            {"_id": f"t{i:04}", "group": f"g{i % 4}", "at": i // 2, "open": i % 50 == 0, **({"name": f"n{i}"} if i % 10 == 0 else {})}
            for i in range(n)]})

    def find(self, query, sort=None, limit=0, **more):
        reply = self.ask({"find": "things", "filter": query, **({"sort": sort} if sort else {}), "limit": limit, **more})
        return [d.get("_id", d) for d in reply["cursor"]["firstBatch"]]

    def cost(self, run):
        """What run() answers, and how many index keys and documents were looked at for it."""
        before = self.executor()
        answer = run()
        after = self.executor()
        return answer, after["scanned"] - before["scanned"], after["scannedObjects"] - before["scannedObjects"]

    def executor(self):
        return self.db.command({"queryCosts": 1})


def refused(code, run):
    try:
        answer = run()
    except MongoError as error:
        equal(error.code, code, f"code of '{error}'")
        return str(error)
    raise Failed(f"error {code} was expected, not {answer}")


@test
def an_index_that_is_there_in_another_way_is_refused():
    with Scratch() as s:
        s.index("a_1", {"a": 1})
        s.index("a_1", {"a": 1})
        refused(85, lambda: s.index("other", {"a": 1}))
        refused(86, lambda: s.index("a_1", {"b": 1}))
        refused(86, lambda: s.index("a_1", {"a": 1}, sparse=True))
        s.index("a_-1", {"a": -1})


@test
def a_document_of_more_than_16_mib_is_not_made_by_an_update():
    with Scratch() as s:
        s.db.insert("things", {"_id": 1, "a": BIG})
        refused(17419, lambda: s.db.update("things", {"_id": 1}, {"$set": {"b": BIG}}))
        equal(list(s.db.one("things", 1)), ["_id", "a"], "fields after the update")


@test
def updates_change_types_and_go_below_no_null():
    with Scratch() as s:
        s.db.insert("things", {"_id": 1, "a": None, "n": Int32(5), "deep": {"n": Int32(6)}})
        refused(28, lambda: s.db.update("things", {"_id": 1}, {"$set": {"a.b": 1}}))
        for path, value in (("n", 5), ("deep.n", 6)):
            ask = {"update": "things", "updates": [{"q": {"_id": 1}, "u": {"$set": {path: value}}}]}
            equal([s.db.command(ask)["nModified"] for _ in range(2)], [1, 0], f"documents changed by {path}: {value}, twice")
        found = s.db.one("things", 1)
        equal((type(found["n"]), type(found["deep"]["n"]), list(found)), (int, int, ["_id", "a", "n", "deep"]), f"types in {found}")
        s.db.update("things", {"_id": 1}, {"$max": {"a": 7}})
        equal(s.db.one("things", 1)["a"], 7, "$max over null")


@test
def the_store_greets_as_a_mongodb_of_today_and_has_no_transactions():
    with Scratch() as s:
        hello = s.db.command({"hello": 1})
        equal(hello["maxWireVersion"], 21, "maxWireVersion")
        holds("logicalSessionTimeoutMinutes" not in hello and "setName" not in hello, f"neither sessions nor a replica set: {hello}")
        refused(20, lambda: s.db.command({"insert": "things", "documents": [{"_id": 1}], "txnNumber": 1}))


@test
def a_statement_has_only_the_fields_that_mongodb_knows():
    with Scratch() as s:
        s.db.insert("things", {"_id": 1})
        for command, one in (("update", {"q": {"_id": 1}, "u": {"$set": {"a": 1}}}), ("delete", {"q": {"_id": 1}, "limit": 1})):
            refused(40415, lambda: s.db.command({command: "things", command + "s": [{**one, "maxTimeMS": 5}]}))
        equal(s.db.one("things", 1), {"_id": 1}, "the document afterwards")


@test
def a_hint_needs_its_index():
    with Scratch() as s:
        s.fill()
        equal(len(s.find({"group": "g1"}, hint="by_group")), 50, "found by the name of an index")
        equal(len(s.find({"group": "g1"}, hint={"group": 1, "at": -1, "_id": -1})), 50, "found by its key")
        refused(2, lambda: s.find({"group": "g1"}, hint="nothing"))
        refused(2, lambda: s.find({"group": "g1"}, hint={"group": 1}))


@test
def a_query_costs_what_its_index_makes_it_cost():
    with Scratch() as s:
        s.fill()
        newest = {"at": -1, "_id": -1}
        equal(s.cost(lambda: s.find({"group": "g1"}, newest, 3)), (["t0197", "t0193", "t0189"], 3, 3), "the newest of a group")
        equal(s.cost(lambda: s.find({"group": {"$in": ["g1", "g2"]}}, newest, 3)), (["t0198", "t0197", "t0194"], 3, 3), "the newest of two groups")
        equal(s.cost(lambda: s.find({"group": "g1", "at": {"$gte": 96}}, newest)), (["t0197", "t0193"], 2, 2), "those of late")
        equal(s.cost(lambda: s.find({"open": True, "at": {"$lt": 50}}, {"at": 1})), (["t0000", "t0050"], 2, 2), "open ones, by a partial index")
        equal(s.cost(lambda: len(s.find({"name": {"$exists": True}}))), (20, 20, 20), "those with a name, by a sparse index")
        equal(s.cost(lambda: len(s.find({"group": "g1"}, projection={"at": 1}))), (50, 50, 0), "a projection that the index covers")
        equal(s.cost(lambda: s.find({"_id": {"$gte": "t0190"}}, {"_id": 1}, 2)), (["t0190", "t0191"], 2, 2), "by _id, in its order")
        count = [{"$match": {"group": "g1"}}, {"$group": {"_id": "$group", "n": {"$sum": 1}, "last": {"$max": "$at"}}}]
        rows = lambda: s.ask({"aggregate": "things", "pipeline": count, "cursor": {}})["cursor"]["firstBatch"]
        equal(s.cost(rows), ([{"_id": "g1", "n": 50, "last": 98}], 50, 0), "a count that the index covers")


@test
def answers_are_the_same_as_without_indexes():
    with Scratch() as s:
        asks = [({"group": "g3", "at": {"$gt": 3, "$lte": 30}}, {"at": 1}), ({"group": {"$in": ["g0", "g2", "none"]}}, {"at": -1, "_id": -1}),
                ({"$or": [{"group": "g1", "at": 5}, {"name": "n20"}]}, None), ({"group": {"$gte": "g2"}}, None), ({"name": None, "group": "g0"}, None),
                ({"name": {"$gt": "n"}}, {"name": 1}), ({"open": True}, {"at": 1}), ({"_id": {"$in": ["t0003", "t0001", "x"]}}, {"_id": 1})]
        plain = Mongo(os.environ["TRAWL_MONGO_URI"], s.db.database)
        answers = []
        for indexed in (False, True):
            if indexed:
                s.db.command({"drop": "things"})
            s.fill()
            if not indexed:
                for name in ("by_group", "by_name", "open_only"):
                    s.db.command({"dropIndexes": "things", "index": name})
            s.db.update("things", {"group": "g3", "at": 31}, {"$set": {"group": "g0", "name": "n20", "open": True}})
            s.db.command({"delete": "things", "deletes": [{"q": {"_id": "t0002"}, "limit": 1}]})
            answers.append([])
            for query, sort in asks:
                reply = plain.command({"find": "things", "filter": query, "batchSize": 1000, **({"sort": sort} if sort else {})})
                found = [d["_id"] for d in reply["cursor"]["firstBatch"]]
                answers[-1].append(found if sort else sorted(found))
        equal(answers[1], answers[0], "answers with indexes")


@test
def a_query_of_trawl_that_no_index_serves_is_an_error_that_names_it():
    with Scratch() as s:
        s.fill()
        said = refused(291, lambda: s.find({"colour": "red"}))
        holds("find things" in said and "colour" in said and "db_index.c" in said, f"it names query and remedy: {said}")
        refused(291, lambda: s.find({}))
        refused(291, lambda: s.find({"at": 3}))
        refused(291, lambda: s.find({"group": "g1"}, {"name": 1}))
        refused(291, lambda: s.find({}, {"at": -1}, 5))
        refused(291, lambda: s.find({"name": None}))
        refused(291, lambda: s.find({"$or": [{"group": "g1"}, {"colour": "red"}]}))
        refused(291, lambda: s.trawl.update("things", {"at": 3}, {"$set": {"x": 1}}))
        refused(291, lambda: s.ask({"count": "things", "query": {"at": 3}}))
        refused(291, lambda: s.ask({"aggregate": "things", "pipeline": [{"$group": {"_id": "$group"}}], "cursor": {}}))
        refused(291, lambda: s.trawl.command({"delete": "things", "deletes": [{"q": {"at": 3}, "limit": 0}]}))
        refused(291, lambda: s.ask({"distinct": "things", "key": "group", "query": {"at": 3}}))
        equal(len(s.executor()["refused"]), 12, "refused queries that the store remembers")
        equal(len(s.db.find("things", {"colour": "red"})), 0, "found by anybody else")
        said = refused(2, lambda: s.trawl.find("things", {"group": "g1"}))
        holds("maxTimeMS" in said, f"a query without a deadline is refused: {said}")


run()
