import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.backend.AbstractUniqueIndex;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.bson.Document;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** A unique index, in memory only; the one of _id, which every change of a document passes through, and others. */
final class IdIndex extends AbstractUniqueIndex<Object> {
    final OrderedIndex ordered;
    private final Map<KeyValue, Object> positions = new ConcurrentHashMap<>();

    IdIndex(String name, List<IndexKey> keys, boolean sparse) {
        super(name, keys, sparse);
        ordered = new OrderedIndex(name, keys, sparse, null);
    }

    @Override
    public synchronized void add(Document document, Object position, MongoCollection<Object> collection) {
        super.add(document, position, collection);
        ordered.add(document, position, collection);
    }

    @Override
    public synchronized Object remove(Document document) {
        ordered.remove(document);
        return super.remove(document);
    }

    @Override
    public synchronized void checkUpdate(Document before, Document after, MongoCollection<Object> collection) {
        super.checkUpdate(before, after, collection);
        ((LocalCollection) collection).checkChange(before, after);
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
