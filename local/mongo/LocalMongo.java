import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.DatabaseResolver;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.h2.H2Database;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.oplog.Oplog;
import de.bwaldvogel.mongo.wire.bson.BsonDecoder;
import de.bwaldvogel.mongo.wire.bson.BsonEncoder;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.util.AttributeKey;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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
 * It adds to the library's H2 backend: every acknowledged write is in the file before the reply leaves (a killed server
 * loses nothing); indexes serve queries (Plan, OrderedIndex) and are counted (Scans); what MongoDB refuses it refuses
 * (Strict). Commands on one collection run one at a time, so guarded updates are atomic. README.md lists what it has not.
 *
 * Usage: LocalMongo PORT FILE [SCANS]
 * With SCANS a query of Trawl's programs that no index serves is an error, unless that file lists it.
 */
public final class LocalMongo {
    private static final int WIRE_VERSION = 21; /* MongoDB 7.0 */
    private static final int CACHE_MB_LEAST = 64;
    private static final int CACHE_OF_HEAP = 8; /* its share: one in so many */
    private static final AttributeKey<String> APPLICATION = AttributeKey.valueOf("application"); /* what is connected */
    private static final int PAGE_BYTES = 4096; /* a page is written whole for each document that changes in it */
    private static final int COMPACT_EVERY_MS = 2000;
    private static final int COMPACT_BELOW_FILL_PERCENT = 60;
    private static final int COMPACT_STEP_BYTES = 16 << 20;
    private static final Set<String> WRITES = Set.of("insert", "update", "delete", "findAndModify",
        "createIndexes", "dropIndexes", "create", "drop", "dropDatabase", "renameCollection");

    public static void main(String[] args) throws Exception {
        MVStore store = new MVStore.Builder().fileName(args[1]).autoCommitDisabled()
            .cacheSize(Math.max(CACHE_MB_LEAST, (int) (Runtime.getRuntime().maxMemory() >> 20) / CACHE_OF_HEAP)).pageSplitSize(PAGE_BYTES).open();
        if (args.length > 2) {
            Scans.refuseAllBut(Path.of(args[2]));
        }
        store.setVersionsToKeep(0);
        store.setRetentionTime(0);
        MongoServer server = new MongoServer(new DurableBackend(store));
        server.bind(System.getProperty("address", "127.0.0.1"), Integer.parseInt(args[0]));
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
            Strict.checkCommand(query);
            if (command.equals("hello") || command.equalsIgnoreCase("isMaster")) {
                return greet(channel, database, query);
            }
            String application = channel.attr(APPLICATION).get();
            Asked.begin(application == null ? "" : application, command, query);
            try {
                if (Asked.now().judged && Scans.areRefused()) {
                    Strict.checkDeadline(command, query);
                }
                return guarded(command, database + "." + query.get(command), () -> super.handleCommand(channel, database, command, query));
            } finally {
                Asked.end();
                if (command.equals("dropDatabase")) {
                    Scans.forget(database);
                }
            }
        }

        /** A client says its name in its first command. */
        private Document greet(Channel channel, String database, Document query) {
            if (query.get("client") instanceof Document
                && ((Document) query.get("client")).get("application") instanceof Document) {
                Document application = (Document) ((Document) query.get("client")).get("application");
                channel.attr(APPLICATION).set(String.valueOf(application.get("name")));
            }
            Document reply = super.handleCommand(channel, database, "isMaster", query);
            reply.put("maxWireVersion", WIRE_VERSION);
            return reply;
        }

        @Override
        public Document getServerStatus() {
            Document status = super.getServerStatus();
            ((Document) status.get("metrics")).put("queryExecutor", Scans.sum(""));
            return status;
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
            private Document adding; /* the index that is being made; null while the library opens a file */

            Database(String name) {
                super(name, getMvStore(), DurableBackend.this.getCursorRegistry());
            }

            @Override
            protected Index<Object> openOrCreateUniqueIndex(String collection, String index, List<IndexKey> keys,
                    boolean sparse) {
                return new IdIndex(index, keys, sparse);
            }

            @Override
            protected Index<Object> openOrCreateSecondaryIndex(String collection, String index, List<IndexKey> keys,
                    boolean sparse) {
                Document description = adding != null ? adding : described(collection, index);
                return new OrderedIndex(index, keys, sparse, (Document) description.get("partialFilterExpression"));
            }

            /** A new one is described only after it has been made. */
            @Override
            protected void addIndex(Document description) {
                adding = description;
                try {
                    super.addIndex(description);
                } finally {
                    adding = null;
                }
            }

            private Document described(String collection, String index) {
                for (Document description : descriptions(collection)) {
                    if (index.equals(description.get("name"))) {
                        return description;
                    }
                }
                return new Document();
            }

            private List<Document> descriptions(String collection) {
                MongoCollection<Object> all = resolveCollection("system.indexes", false);
                List<Document> found = new ArrayList<>();
                if (all != null) {
                    all.handleQuery(new Document("ns", getFullCollectionNamespace(collection))).forEach(found::add);
                }
                return found;
            }

            @Override
            public Document handleCommand(Channel channel, String command, Document query, DatabaseResolver resolver, Oplog oplog) {
                if (command.equals("queryCosts")) {
                    return Scans.reportOf(getDatabaseName(), query.get("application"));
                }
                String collection = String.valueOf(query.get(command));
                if (command.equals("createIndexes")) {
                    List<Document> there = descriptions(collection);
                    ((List<?>) query.get("indexes")).forEach(index -> Strict.checkIndex((Document) index, there));
                    Scans.indexesMade(getDatabaseName());
                } else if (query.get("hint") != null && resolveCollection(collection, false) != null) {
                    Strict.checkHint(query.get("hint"), descriptions(collection));
                }
                return super.handleCommand(channel, command, query, resolver, oplog);
            }

            @Override
            protected MongoCollection<Object> openOrCreateCollection(String name, CollectionOptions options) {
                String namespace = getFullCollectionNamespace(name);
                MVMap.Builder<Object, Document> documents = new MVMap.Builder<Object, Document>().valueType(new Bson());
                return new LocalCollection(this, name, options, getMvStore().openMap("databases." + namespace, documents),
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
}
