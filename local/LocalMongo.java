import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.AbstractUniqueIndex;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.EmptyIndex;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.backend.Missing;
import de.bwaldvogel.mongo.backend.QueryParameters;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.h2.H2Collection;
import de.bwaldvogel.mongo.backend.h2.H2Database;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.bson.ObjectId;
import de.bwaldvogel.mongo.wire.bson.BsonDecoder;
import de.bwaldvogel.mongo.wire.bson.BsonEncoder;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;
import org.h2.mvstore.DataUtils;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;
import org.h2.mvstore.WriteBuffer;
import org.h2.mvstore.type.BasicDataType;

/**
 * A MongoDB-protocol server for one machine, on mongo-java-server and H2's MVStore.
 *
 * It adds three things to the library's H2 backend: every acknowledged write is in the file before the
 * reply leaves (a killed server loses nothing); a filter that names _id with other conditions is looked
 * up by _id instead of scanning; and a non-unique index, which the library accepts and ignores, serves
 * filters that ask its top-level fields for a string or for one of several ($in). Commands on one collection run one at a time, so guarded
 * updates are atomic. No sessions, transactions, change streams or pipeline updates.
 *
 * Usage: LocalMongo PORT FILE
 */
public final class LocalMongo {
    private static final int CACHE_MB = 64;
    private static final int PAGE_BYTES = 4096; /* a page is written whole for each document that changes in it */
    private static final int COMPACT_EVERY_MS = 2000;
    private static final int COMPACT_BELOW_FILL_PERCENT = 60;
    private static final int COMPACT_STEP_BYTES = 16 << 20;
    private static final Set<String> WRITES = Set.of("insert", "update", "delete", "findAndModify",
        "createIndexes", "dropIndexes", "create", "drop", "dropDatabase", "renameCollection");

    public static void main(String[] args) throws Exception {
        MVStore store = new MVStore.Builder().fileName(args[1]).autoCommitDisabled()
            .cacheSize(CACHE_MB).pageSplitSize(PAGE_BYTES).open();
        store.setVersionsToKeep(0);
        store.setRetentionTime(0);
        MongoServer server = new MongoServer(new DurableBackend(store));
        server.bind("127.0.0.1", Integer.parseInt(args[0]));
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        for (;;) {
            Thread.sleep(COMPACT_EVERY_MS);
            store.compact(COMPACT_BELOW_FILL_PERCENT, COMPACT_STEP_BYTES);
        }
    }

    private static final class DurableBackend extends H2Backend {
        private final ReadWriteLock making = new ReentrantReadWriteLock();
        private final Set<String> written = ConcurrentHashMap.newKeySet();
        private final AtomicLong made = new AtomicLong();
        private final Object committing = new Object();
        private long committed;

        DurableBackend(MVStore store) {
            super(store);
        }

        @Override
        public Document handleCommand(Channel channel, String database, String command, Document query) {
            String known = command.equals("hello") ? "isMaster" : command;
            return guarded(command, database + "." + query.get(command),
                () -> super.handleCommand(channel, database, known, query));
        }

        /**
         * The first write to a collection makes it, and the library cannot make two at a time; an index is filled
         * with what it finds: these run alone.
         */
        private Document guarded(String command, String namespace, Supplier<Document> run) {
            boolean first = WRITES.contains(command) && !written.contains(namespace);
            boolean drops = command.startsWith("drop");
            boolean alone = first || drops || command.equals("createIndexes");
            Lock lock = alone ? making.writeLock() : making.readLock();
            lock.lock();
            try {
                Document reply = run.get();
                commitAfter(command);
                if (drops) {
                    written.clear();
                } else if (first) {
                    written.add(namespace);
                }
                return reply;
            } finally {
                lock.unlock();
            }
        }

        /** One commit serves all writes that were made before it began. */
        private void commitAfter(String command) {
            if (!WRITES.contains(command)) {
                return;
            }
            long mine = made.incrementAndGet();
            synchronized (committing) {
                if (committed < mine) {
                    long upTo = made.get();
                    commit();
                    committed = upTo;
                }
            }
        }

        @Override
        protected MongoDatabase openOrCreateDatabase(String name) {
            return new Database(name);
        }

        /** Inner, not static: the library's constructor opens collections before ours has run. */
        private final class Database extends H2Database {
            Database(String name) {
                super(name, getMvStore(), DurableBackend.this.getCursorRegistry());
            }

            @Override
            protected Index<Object> openOrCreateUniqueIndex(String collection, String index, List<IndexKey> keys,
                    boolean sparse) {
                return new UniqueIndex(index, keys, sparse);
            }

            @Override
            protected Index<Object> openOrCreateSecondaryIndex(String collection, String index, List<IndexKey> keys,
                    boolean sparse) {
                return new ValueIndex(index, keys);
            }

            @Override
            protected MongoCollection<Object> openOrCreateCollection(String name, CollectionOptions options) {
                String namespace = getFullCollectionNamespace(name);
                MVMap.Builder<Object, Document> documents = new MVMap.Builder<Object, Document>().valueType(new Bson());
                return new Collection(this, name, options, getMvStore().openMap("databases." + namespace, documents),
                    getMvStore().openMap("meta." + namespace), cursorRegistry);
            }
        }
    }

    /** Documents in the file: their BSON, after its length. */
    private static final class Bson extends BasicDataType<Document> {
        private static final int ABOUT_BYTES = 1024;

        @Override
        public int getMemory(Document document) {
            return ABOUT_BYTES;
        }

        @Override
        public void write(WriteBuffer out, Document document) {
            ByteBuf encoded = Unpooled.buffer(ABOUT_BYTES);
            BsonEncoder.encodeDocument(document, encoded);
            out.putVarInt(encoded.readableBytes()).put(encoded.nioBuffer());
        }

        @Override
        public Document read(ByteBuffer in) {
            byte[] encoded = new byte[DataUtils.readVarInt(in)];
            in.get(encoded);
            return BsonDecoder.decodeBson(Unpooled.wrappedBuffer(encoded));
        }

        @Override
        public Document[] createStorage(int size) {
            return new Document[size];
        }
    }

    private static final class Collection extends H2Collection {
        private Index<Object> byId;
        private List<ValueIndex> byValue = List.of();
        private boolean reads; /* under the collection's lock: what is found is only sent */

        Collection(MongoDatabase database, String name, CollectionOptions options, MVMap<Object, Document> data,
                MVMap<String, Object> meta, CursorRegistry cursors) {
            super(database, name, options, data, meta, cursors);
        }

        @Override
        public void addIndex(Index<Object> index) {
            super.addIndex(index);
            if (index.getName().equals("_id_")) {
                byId = index;
            }
            byValue = getIndexes().stream().filter(ValueIndex.class::isInstance).map(ValueIndex.class::cast).toList();
        }

        @Override
        public synchronized QueryResult handleQuery(QueryParameters query) {
            reads = true;
            try {
                return super.handleQuery(query);
            } finally {
                reads = false;
            }
        }

        /** An update changes the document that it has found: it gets a copy, so that none that is being sent changes. */
        @Override
        protected QueryResult createQueryResult(List<Document> found, int batchSize) {
            return super.createQueryResult(reads ? found : found.stream().map(Document::cloneDeeply).toList(), batchSize);
        }

        @Override
        protected boolean tracksDataSize() {
            return false;
        }

        @Override
        public synchronized int count(Document query, int skip, int limit) {
            return super.count(query, skip, limit);
        }

        /** What an index has answered needs no match any more: $in over hundreds of values would be asked of each. */
        @Override
        protected QueryResult queryDocuments(Document query, Document orderBy, int skip, int limit, int batchSize,
                Document fields) {
            Object id = query.get("_id");
            if (byId != null && (id instanceof ObjectId || !wantedValues(id).isEmpty())) {
                return matchDocuments(without("_id", query), byId.getPositions(new Document("_id", id)), orderBy, skip,
                    limit, batchSize, fields);
            }
            Candidates best = null;
            for (ValueIndex index : byValue) {
                Candidates found = index.candidates(query);
                best = best == null || (found != null && found.count < best.count) ? found : best;
            }
            if (best != null) {
                return matchDocuments(without(best.field, query), best.positions(), orderBy, skip, limit, batchSize, fields);
            }
            return super.queryDocuments(query, orderBy, skip, limit, batchSize, fields);
        }

        private static Document without(String field, Document query) {
            Document rest = query.clone();
            rest.remove(field);
            return rest;
        }
    }

    /** In memory only, as ValueIndex. */
    private static final class UniqueIndex extends AbstractUniqueIndex<Object> {
        private final Map<KeyValue, Object> positions = new ConcurrentHashMap<>();

        UniqueIndex(String name, List<IndexKey> keys, boolean sparse) {
            super(name, keys, sparse);
        }

        @Override
        protected Object removeDocument(KeyValue key) {
            return positions.remove(key);
        }

        @Override
        protected boolean putKeyPosition(KeyValue key, Object position) {
            return positions.putIfAbsent(key, position) == null;
        }

        @Override
        protected Iterable<Map.Entry<KeyValue, Object>> getIterable() {
            return positions.entrySet();
        }

        @Override
        protected Object getPosition(KeyValue key) {
            return positions.get(key);
        }

        @Override
        public long getCount() {
            return positions.size();
        }

        @Override
        public long getDataSize() {
            return 0;
        }
    }

    /** The strings and booleans a condition asks for by equality or $in; empty for every other condition. */
    private static List<Object> wantedValues(Object condition) {
        if (isIndexed(condition)) {
            return List.of(condition);
        }
        List<Object> values = new ArrayList<>();
        boolean in = condition instanceof Document && ((Document) condition).size() == 1
            && ((Document) condition).get("$in") instanceof java.util.Collection;
        if (in) {
            for (Object value : (java.util.Collection<?>) ((Document) condition).get("$in")) {
                if (!isIndexed(value)) {
                    return List.of();
                }
                values.add(value);
            }
        }
        return values;
    }

    private static boolean isIndexed(Object value) {
        return value instanceof String || value instanceof Boolean;
    }

    /** Where the documents are that meet the condition on one field. */
    private static final class Candidates {
        final String field;
        final int count;
        private final List<Set<Object>> sets;

        Candidates(String field, List<Set<Object>> sets) {
            this.field = field;
            this.sets = sets;
            this.count = sets.stream().mapToInt(Set::size).sum();
        }

        /** A copy: an update in the loop over it changes the index. */
        Iterable<Object> positions() {
            Set<Object> positions = new LinkedHashSet<>();
            sets.forEach(positions::addAll);
            return positions;
        }
    }

    /**
     * For each key field of an index, where documents hold which string or boolean. It lives in memory only: the
     * library fills an index again when it opens a collection. It yields candidates; the caller still
     * matches each against the rest of the filter.
     */
    private static final class ValueIndex extends EmptyIndex<Object> {
        private final Map<String, Map<Object, Set<Object>>> positionsByField = new HashMap<>();

        ValueIndex(String name, List<IndexKey> keys) {
            super(name, keys);
            for (String field : keys()) {
                if (!field.contains(".")) {
                    positionsByField.put(field, new HashMap<>());
                }
            }
        }

        @Override
        public synchronized void add(Document document, Object position, MongoCollection<Object> collection) {
            positionsByField.forEach((field, positions) -> {
                for (Object value : heldValues(document.get(field))) {
                    positions.computeIfAbsent(value, v -> new LinkedHashSet<>()).add(position);
                }
            });
        }

        /** Null is EmptyIndex's answer: the caller then takes the position from the index of _id. */
        @Override
        public synchronized Object remove(Document document) {
            remove(document, Missing.ofNullable(document.get("_id")));
            return null;
        }

        private synchronized void remove(Document document, Object position) {
            positionsByField.forEach((field, positions) -> {
                for (Object value : heldValues(document.get(field))) {
                    positions.computeIfPresent(value, (v, set) -> {
                        set.remove(position);
                        return set.isEmpty() ? null : set;
                    });
                }
            });
        }

        @Override
        public synchronized void updateInPlace(Document before, Document after, Object position, MongoCollection<Object> collection) {
            remove(before, position);
            add(after, position, collection);
        }

        @Override
        public boolean canHandle(Document query) {
            return false; /* Collection asks for candidates */
        }

        /** By the field whose condition the fewest documents meet; null when no field of this index is asked for. */
        synchronized Candidates candidates(Document query) {
            Candidates best = null;
            for (Map.Entry<String, Map<Object, Set<Object>>> field : positionsByField.entrySet()) {
                List<Object> wanted = wantedValues(query.get(field.getKey()));
                if (!wanted.isEmpty()) {
                    Candidates found = new Candidates(field.getKey(),
                        wanted.stream().map(value -> field.getValue().getOrDefault(value, Set.of())).toList());
                    best = best == null || found.count < best.count ? found : best;
                }
            }
            return best;
        }

        private static List<Object> heldValues(Object value) {
            if (isIndexed(value)) {
                return List.of(value);
            }
            List<Object> values = new ArrayList<>();
            if (value instanceof java.util.Collection) {
                for (Object item : (java.util.Collection<?>) value) {
                    if (isIndexed(item)) {
                        values.add(item);
                    }
                }
            }
            return values;
        }
    }
}
