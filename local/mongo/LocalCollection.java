import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.backend.ArrayFilters;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.DocumentWithPosition;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.QueryParameters;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.Utils;
import de.bwaldvogel.mongo.backend.h2.H2Collection;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.oplog.Oplog;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.h2.mvstore.MVMap;

/** A collection whose queries are answered by its indexes (Plan), and whose updates are as strict as MongoDB's (Strict). */
final class LocalCollection extends H2Collection {
    private static final Document ALL = new Document();

    private List<OrderedIndex> indexes = List.of();
    /* All under the collection's lock: */
    private boolean reads;     /* what is found is only sent */
    private boolean counts;    /* what is found is only counted */
    private boolean one;       /* only the first is changed */
    private Document update;   /* what is done to the documents that are found; or null */

    LocalCollection(MongoDatabase database, String name, CollectionOptions options, MVMap<Object, Document> data,
            MVMap<String, Object> meta, CursorRegistry cursors) {
        super(database, name, options, data, meta, cursors);
    }

    Document stored(Object position) {
        return getDocument(position);
    }

    @Override
    public void addIndex(Index<Object> index) {
        super.addIndex(index);
        listIndexes();
    }

    @Override
    public void dropIndex(String name) {
        super.dropIndex(name);
        listIndexes();
    }

    private void listIndexes() {
        List<OrderedIndex> all = new ArrayList<>();
        for (Index<Object> index : getIndexes()) {
            if (index instanceof IdIndex) {
                all.add(((IdIndex) index).ordered);
            } else if (index instanceof OrderedIndex) {
                all.add((OrderedIndex) index);
            }
        }
        indexes = all;
    }

    /* --- commands --- */

    @Override
    public synchronized QueryResult handleQuery(QueryParameters query) {
        reads = update == null;
        try {
            return super.handleQuery(query);
        } finally {
            reads = false;
        }
    }

    @Override
    public synchronized int count(Document query, int skip, int limit) {
        counts = true;
        reads = true;
        try {
            return super.count(query, skip, limit);
        } finally {
            counts = false;
            reads = false;
        }
    }

    @Override
    public synchronized Document updateDocuments(Document selector, Document change, ArrayFilters filters, boolean multi,
            boolean upsert, Oplog oplog) {
        update = change;
        one = !multi;
        try {
            return super.updateDocuments(selector, change, filters, multi, upsert, oplog);
        } finally {
            update = null;
            one = false;
        }
    }

    @Override
    public synchronized Document findAndModify(Document query) {
        update = query.get("update") instanceof Document ? (Document) query.get("update") : ALL;
        try {
            return super.findAndModify(query);
        } finally {
            update = null;
        }
    }

    void checkChange(Document before, Document after) {
        Strict.checkChange(before, after, update);
    }

    /** What an aggregation begins with: only what its first stages leave. */
    @Override
    public synchronized Stream<Document> queryAllAsStream() {
        Asked asked = Asked.now();
        if (asked == null || asked.pipeline == null || !asked.collection.equals(getCollectionName())) {
            return super.queryAllAsStream();
        }
        return answer(asked.pipeline).stream();
    }

    /** An update changes the document that it has found: it gets a copy, so that none that is being sent changes. */
    @Override
    protected QueryResult createQueryResult(List<Document> found, int batchSize) {
        if (reads) {
            return super.createQueryResult(found, batchSize);
        }
        List<Document> copies = found.stream().map(Document::cloneDeeply).toList();
        if (update != null) {
            copies.forEach(copy -> Strict.prepare(copy, update));
        }
        return super.createQueryResult(copies, batchSize);
    }

    @Override
    protected boolean tracksDataSize() {
        return false;
    }

    /* --- queries --- */

    @Override
    protected QueryResult queryDocuments(Document filter, Document orderBy, int skip, int limit, int batchSize, Document fields) {
        boolean natural = orderBy != null && orderBy.containsKey("$natural");
        if (natural || getCollectionName().startsWith("system.")) {
            return super.queryDocuments(filter, orderBy, skip, limit, batchSize, fields);
        }
        int enough = one ? 1 : limit > 0 ? limit + skip : 0;
        Set<String> needed = counts ? Set.of() : reads ? Query.needed(fields) : null;
        List<Document> found = answer(new Query(filter, orderBy, enough, needed));
        return matchDocumentsFromStream(found.stream(), ALL, null, skip, limit, batchSize, fields);
    }

    /** All that match, in the order that is asked for; no more than enough. */
    private List<Document> answer(Query query) {
        List<Document> found = served(query, true);
        if (found == null) {
            Query unsorted = query.sort.isEmpty() ? query : new Query(query.filter, query.sort, 0, query.needed);
            found = served(unsorted, false);
            Scans.judge(this, query, found == null ? "scan" : "sort", indexes.size() > 1);
            found = found == null ? scan(unsorted) : found;
        }
        if (!query.sort.isEmpty()) {
            found.sort(deriveComparator(query.sort));
        }
        return query.enough > 0 && found.size() > query.enough ? found.subList(0, query.enough) : found;
    }

    /** Null: no index serves it, or none gives the order. With order the first that are enough are among the answers. */
    private List<Document> served(Query query, boolean ordered) {
        Plan plan = Plan.best(query, usable());
        List<Document> found = null;
        if ((plan == null || !plan.sorted) && query.filter.get("$or") instanceof List) {
            found = union(query, ordered);
        }
        boolean walks = found == null && plan != null && (plan.sorted || !ordered);
        return walks ? new ArrayList<>(walk(query, plan).values()) : found;
    }

    private List<OrderedIndex> usable() {
        Asked asked = Asked.now();
        Object hint = asked != null && asked.collection.equals(getCollectionName()) ? asked.hint : null;
        return hint == null ? indexes : indexes.stream().filter(index -> Strict.isNamedBy(hint, index)).toList();
    }

    /** $or, when an index serves each of its branches; else null. */
    private List<Document> union(Query query, boolean ordered) {
        Document rest = query.filter.clone();
        Map<Object, Document> found = new LinkedHashMap<>();
        for (Object branch : (List<?>) rest.remove("$or")) {
            Query part = new Query(new Document("$and", List.of(rest, branch)), query.sort, query.enough, null);
            Plan plan = Plan.best(part, usable());
            if (plan == null || (ordered && !plan.sorted)) {
                return null;
            }
            walk(part, plan).forEach(found::putIfAbsent);
        }
        return new ArrayList<>(found.values());
    }

    private Map<Object, Document> walk(Query query, Plan plan) {
        Scans.Costs costs = Scans.of(getDatabaseName());
        Map<Object, Document> found = new LinkedHashMap<>();
        Set<Object> seen = new HashSet<>();
        Iterator<Object[]> entries = plan.entries(query);
        while (entries.hasNext() && (query.enough == 0 || found.size() < query.enough)) {
            Object[] entry = entries.next();
            Object position = entry[entry.length - 1];
            costs.keys.incrementAndGet();
            if (!plan.fits(entry) || (plan.index.holdsArrays && !seen.add(position))) {
                continue;
            }
            costs.documents.addAndGet(plan.covered ? 0 : 1);
            Document document = plan.covered ? ofEntry(plan.index, entry) : getDocument(position);
            if (documentMatchesQuery(document, query.filter)) {
                found.put(position, document);
            }
        }
        return found;
    }

    /** A field that the document does not have is null, as in MongoDB. */
    private static Document ofEntry(OrderedIndex index, Object[] entry) {
        Document document = new Document();
        for (int i = 0; i < index.fields.length; i++) {
            Utils.changeSubdocumentValue(document, index.fields[i], entry[i]);
        }
        return document;
    }

    private List<Document> scan(Query query) {
        boolean counted = counts && query.filter.isEmpty();
        Scans.Costs costs = Scans.of(getDatabaseName());
        List<Document> found = new ArrayList<>();
        Iterator<DocumentWithPosition<Object>> all = streamAllDocumentsWithPosition().iterator();
        while (all.hasNext() && (query.enough == 0 || found.size() < query.enough)) {
            Document document = all.next().getDocument();
            costs.documents.addAndGet(counted ? 0 : 1);
            if (documentMatchesQuery(document, query.filter)) {
                found.add(document);
            }
        }
        return found;
    }
}
