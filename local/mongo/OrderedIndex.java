import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.backend.DefaultQueryMatcher;
import de.bwaldvogel.mongo.backend.EmptyIndex;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.Missing;
import de.bwaldvogel.mongo.backend.QueryMatcher;
import de.bwaldvogel.mongo.backend.Utils;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.exception.CannotIndexParallelArraysError;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;

/**
 * A non-unique index: the documents' values of its fields in MongoDB's order, each with the document's place.
 * It lives in memory only: the library fills it again when it opens a collection. An entry is an array: the values
 * of the fields, then the place.
 */
final class OrderedIndex extends EmptyIndex<Object> {
    /** In a search, behind the last field that is bound: before and after all entries. */
    static final Object LOWEST = new Object();
    static final Object HIGHEST = new Object();

    final String[] fields;
    final boolean[] ascending;
    private final boolean omitsMissing; /* the option "sparse" */
    final Document partial;             /* null: holds all documents */
    private final QueryMatcher matcher = new DefaultQueryMatcher();
    private final TreeSet<Object[]> entries;
    boolean holdsArrays; /* a document may have several entries */

    OrderedIndex(String name, List<IndexKey> keys, boolean sparse, Document partial) {
        super(name, keys);
        this.fields = keys.stream().map(IndexKey::getKey).toArray(String[]::new);
        this.ascending = new boolean[fields.length];
        for (int i = 0; i < fields.length; i++) {
            ascending[i] = keys.get(i).isAscending();
        }
        this.omitsMissing = sparse;
        this.partial = partial;
        this.entries = new TreeSet<>(order(ascending));
    }

    private static Comparator<Object[]> order(boolean[] ascending) {
        return (a, b) -> {
            for (int i = 0; i < a.length && i < b.length; i++) {
                if (a[i] == LOWEST || b[i] == HIGHEST) {
                    return -1;
                } else if (a[i] == HIGHEST || b[i] == LOWEST) {
                    return 1;
                }
                int order = Values.compare(a[i], b[i]);
                if (order != 0) {
                    return i >= ascending.length || ascending[i] ? order : -order;
                }
            }
            return 0;
        };
    }

    /** Whether some documents have no entry. */
    boolean leavesOut() {
        return omitsMissing || partial != null;
    }

    boolean omitsMissing() {
        return omitsMissing;
    }

    /** The entries between two searches, from the first or from the last. */
    NavigableSet<Object[]> between(Object[] from, Object[] to, boolean backwards) {
        NavigableSet<Object[]> range = entries.subSet(from, true, to, true);
        return backwards ? range.descendingSet() : range;
    }

    @Override
    public synchronized void add(Document document, Object position, MongoCollection<Object> collection) {
        for (Object[] entry : entriesOf(document, position)) {
            Object[] neighbour = entries.floor(entry);
            for (int i = 0; neighbour != null && i < fields.length && Values.compare(neighbour[i], entry[i]) == 0; i++) {
                entry[i] = entry[i] instanceof String ? neighbour[i] : entry[i]; /* a text that is there is shared */
            }
            entries.add(entry);
        }
    }

    /** Null is EmptyIndex's answer: the caller then takes the place from the index of _id. */
    @Override
    public synchronized Object remove(Document document) {
        remove(document, Missing.ofNullable(document.get("_id")));
        return null;
    }

    private void remove(Document document, Object position) {
        entriesOf(document, position).forEach(entries::remove);
    }

    @Override
    public synchronized void updateInPlace(Document before, Document after, Object position, MongoCollection<Object> collection) {
        remove(((LocalCollection) collection).stored(position), position);
        add(after, position, collection);
    }

    private List<Object[]> entriesOf(Document document, Object position) {
        Object[] entry = new Object[fields.length + 1];
        boolean missing = true;
        int array = -1;
        for (int i = 0; i < fields.length; i++) {
            Object value = Utils.getSubdocumentValueCollectionAware(document, fields[i]);
            missing &= value instanceof Missing;
            entry[i] = value instanceof Missing ? null : value;
            if (value instanceof Collection && array >= 0) {
                throw new CannotIndexParallelArraysError(List.of(fields[array], fields[i]));
            }
            array = value instanceof Collection ? i : array;
        }
        entry[fields.length] = position;
        if ((missing && omitsMissing) || (partial != null && !matcher.matches(document, partial))) {
            return List.of();
        }
        return array < 0 ? List.<Object[]>of(entry) : spread(entry, array);
    }

    private List<Object[]> spread(Object[] entry, int array) {
        holdsArrays = true;
        List<Object[]> spread = new ArrayList<>();
        for (Object item : (Collection<?>) entry[array]) {
            Object[] one = entry.clone();
            one[array] = item instanceof Missing ? null : item;
            spread.add(one);
        }
        return spread;
    }

    @Override
    public void drop() {
        entries.clear();
    }
}
