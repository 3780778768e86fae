import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.exception.MongoServerError;
import de.bwaldvogel.mongo.wire.BsonConstants;
import de.bwaldvogel.mongo.wire.bson.BsonEncoder;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What MongoDB refuses or does where the library is laxer. */
final class Strict {
    private static final int BAD_VALUE = 2;
    private static final int PATH_NOT_VIABLE = 28;
    private static final int INDEX_OPTIONS_CONFLICT = 85;
    private static final int INDEX_KEY_SPECS_CONFLICT = 86;
    private static final int ILLEGAL_OPERATION = 20;
    private static final int GROWN_TOO_LARGE = 17419;
    private static final int UNKNOWN_FIELD = 40415;
    private static final Map<String, Set<String>> STATEMENTS = Map.of(
        "updates", Set.of("q", "u", "c", "multi", "upsert", "hint", "collation", "arrayFilters"),
        "deletes", Set.of("q", "limit", "hint", "collation"));
    private static final Set<String> MAKES_PATHS = Set.of("$set", "$inc", "$mul", "$min", "$max", "$push", "$addToSet", "$currentDate");
    private static final Set<String> TIMED = Set.of("find", "aggregate", "count", "distinct", "findAndModify");
    private static final Set<String> NO_OPTIONS = Set.of("v", "key", "name", "ns", "background");

    private Strict() {
    }

    /* --- documents --- */

    private static int sizeOf(Document document) {
        ByteBuf encoded = Unpooled.buffer();
        BsonEncoder.encodeDocument(document, encoded);
        return encoded.readableBytes();
    }

    /** Called before the document is changed. */
    static void checkChange(Document before, Document after, Document update) {
        if (sizeOf(after) > BsonConstants.MAX_BSON_OBJECT_SIZE) {
            throw new MongoServerError(GROWN_TOO_LARGE,
                "Resulting document after update is larger than " + BsonConstants.MAX_BSON_OBJECT_SIZE);
        }
        for (Map.Entry<String, Object> operator : update == null ? Set.<Map.Entry<String, Object>>of() : update.entrySet()) {
            if (MAKES_PATHS.contains(operator.getKey())) {
                ((Document) operator.getValue()).keySet().forEach(path -> checkPath(before, path));
            }
        }
    }

    private static void checkPath(Document before, String path) {
        Object at = before;
        String[] names = path.split("\\.");
        for (int i = 0; i < names.length && at instanceof Document; i++) {
            boolean there = ((Document) at).containsKey(names[i]);
            at = ((Document) at).get(names[i]);
            if (there && at == null && i + 1 < names.length) {
                throw new MongoServerError(PATH_NOT_VIABLE, "PathNotViable",
                    "Cannot create field '" + names[i + 1] + "' in element {" + names[i] + ": null}");
            }
        }
    }

    /**
     * The library takes a number for unchanged when only its type changes, so such a number is taken out of the copy that an
     * update begins with; the indexes look at what is stored.
     */
    static void prepare(Document copy, Document update) {
        if (!(update.get("$set") instanceof Document)) {
            return;
        }
        ((Document) update.get("$set")).forEach((path, value) -> {
            Object at = copy;
            String[] names = path.split("\\.");
            for (int i = 0; i + 1 < names.length && at instanceof Document; i++) {
                at = ((Document) at).get(names[i]);
            }
            String last = names[names.length - 1];
            if (at instanceof Document && ((Document) at).containsKey(last) && differsInType(((Document) at).get(last), value)) {
                ((Document) at).put(last, null);
            }
        });
    }

    private static boolean differsInType(Object before, Object after) {
        if (before == null || after == null || before instanceof String || !Values.areAlike(before, after)) {
            return false;
        }
        return !encoded(before).equals(encoded(after));
    }

    private static ByteBuf encoded(Object value) {
        ByteBuf buffer = Unpooled.buffer();
        BsonEncoder.encodeDocument(new Document("v", value), buffer);
        return buffer;
    }

    /* --- commands --- */

    static void checkCommand(Document command) {
        if (command.containsKey("txnNumber")) {
            throw new MongoServerError(ILLEGAL_OPERATION, "IllegalOperation",
                "Transaction numbers are only allowed on a replica set member or mongos");
        }
        STATEMENTS.forEach((list, known) -> {
            for (Object statement : command.get(list) instanceof List ? (List<?>) command.get(list) : List.of()) {
                checkFields(list, known, (Document) statement);
            }
        });
    }

    private static void checkFields(String list, Set<String> known, Document statement) {
        for (String field : statement.keySet()) {
            if (!known.contains(field)) {
                throw new MongoServerError(UNKNOWN_FIELD, "Location40415", "BSON field '" + list + "." + field + "' is an unknown field.");
            }
        }
    }

    /** Whatever a program of ours asks, it says for how long. Bulks cannot. */
    static void checkDeadline(String command, Document doc) {
        if (TIMED.contains(command) && !(doc.get("maxTimeMS") instanceof Number)) {
            throw new MongoServerError(BAD_VALUE, "BadValue", "a program of Trawl gives no maxTimeMS to " + command + " " + doc.get(command));
        }
    }

    static void checkHint(Object hint, Iterable<Document> indexes) {
        if (hint == null || hint instanceof Document && ((Document) hint).isEmpty()) {
            return;
        }
        for (Document index : indexes) {
            if (hint.equals(index.get("name")) || (hint instanceof Document && sameKeys((Document) hint, (Document) index.get("key")))) {
                return;
            }
        }
        throw new MongoServerError(BAD_VALUE, "BadValue",
            "error processing query: planner returned error :: caused by :: hint provided does not correspond to an existing index");
    }

    static boolean isNamedBy(Object hint, OrderedIndex index) {
        if (!(hint instanceof Document)) {
            return index.getName().equals(hint);
        }
        Document key = new Document();
        for (int i = 0; i < index.fields.length; i++) {
            key.put(index.fields[i], index.ascending[i] ? 1 : -1);
        }
        return sameKeys((Document) hint, key);
    }

    private static boolean sameKeys(Document a, Document b) {
        return List.copyOf(a.keySet()).equals(List.copyOf(b.keySet())) && Values.areAlike(a, b);
    }

    /** A new index beside one that is there: the same one is no error. */
    static void checkIndex(Document wanted, Iterable<Document> indexes) {
        for (Document there : indexes) {
            boolean sameName = wanted.get("name").equals(there.get("name"));
            boolean sameKeys = sameKeys((Document) wanted.get("key"), (Document) there.get("key"));
            if (sameName && !(sameKeys && options(wanted).equals(options(there)))) {
                throw new MongoServerError(INDEX_KEY_SPECS_CONFLICT, "IndexKeySpecsConflict",
                    "An existing index has the same name as the requested index. When index names are not specified, they are auto "
                        + "generated and can cause conflicts. Requested index: " + wanted.toString(true) + ", existing index: "
                        + there.toString(true));
            }
            if (sameKeys && !sameName) {
                throw new MongoServerError(INDEX_OPTIONS_CONFLICT, "IndexOptionsConflict",
                    "Index already exists with a different name: " + there.get("name"));
            }
        }
    }

    private static Document options(Document index) {
        Document options = new Document();
        index.forEach((name, value) -> {
            if (!NO_OPTIONS.contains(name) && !Boolean.FALSE.equals(value)) {
                options.put(name, value);
            }
        });
        return options;
    }
}
