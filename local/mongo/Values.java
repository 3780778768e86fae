import de.bwaldvogel.mongo.backend.Missing;
import de.bwaldvogel.mongo.backend.ValueComparator;
import de.bwaldvogel.mongo.bson.Document;
import java.time.Instant;
import java.util.Collection;
import java.util.Iterator;
import java.util.Map;

/** Values as MongoDB orders them: first by type, then by value; a missing one is null. */
final class Values {
    private static final int FIRST_RANK = 0;
    private static final int LAST_RANK = 20;

    /** The place before (side -1) or after (side 1) all values of a type. */
    record Edge(int rank, int side) {
    }

    static final Edge FIRST = new Edge(FIRST_RANK, -1);
    static final Edge LAST = new Edge(LAST_RANK, 1);

    private Values() {
    }

    static Edge before(Object value) {
        return new Edge(rank(value), -1);
    }

    static Edge after(Object value) {
        return new Edge(rank(value), 1);
    }

    private static int rank(Object value) {
        if (value instanceof String) {
            return 3;
        } else if (value == null || value instanceof Missing) {
            return 1;
        } else if (value instanceof Number) {
            return 2;
        } else if (value instanceof Boolean) {
            return 8;
        } else if (value instanceof Instant) {
            return 9;
        } else if (value instanceof Edge) {
            return ((Edge) value).rank();
        } else if (value instanceof Document) {
            return 4;
        }
        return value instanceof Collection ? 5 : 7; /* binary, ids, … */
    }

    static int compare(Object a, Object b) {
        int byRank = Integer.compare(rank(a), rank(b));
        if (byRank != 0 || a == b) {
            return byRank;
        }
        if (a instanceof Edge || b instanceof Edge) {
            return Integer.compare(side(a), side(b));
        }
        if (a instanceof String) {
            return ((String) a).compareTo((String) b);
        }
        if (a == null || a instanceof Missing) {
            return 0;
        }
        if (isWhole(a) && isWhole(b)) {
            return Long.compare(((Number) a).longValue(), ((Number) b).longValue());
        }
        return ValueComparator.ascWithoutListHandling().compare(a, b);
    }

    private static int side(Object value) {
        return value instanceof Edge ? ((Edge) value).side() : 0;
    }

    private static boolean isWhole(Object value) {
        return value instanceof Long || value instanceof Integer;
    }

    /** Equal, but for the types of numbers. */
    static boolean areAlike(Object a, Object b) {
        if (a instanceof Number && b instanceof Number) {
            return compare(a, b) == 0;
        }
        if (a instanceof Document && b instanceof Document) {
            return areAlike(((Document) a).entrySet(), ((Document) b).entrySet());
        }
        if (a instanceof Map.Entry && b instanceof Map.Entry) {
            Map.Entry<?, ?> x = (Map.Entry<?, ?>) a;
            Map.Entry<?, ?> y = (Map.Entry<?, ?>) b;
            return x.getKey().equals(y.getKey()) && areAlike(x.getValue(), y.getValue());
        }
        if (a instanceof Collection && b instanceof Collection) {
            Iterator<?> x = ((Collection<?>) a).iterator();
            Iterator<?> y = ((Collection<?>) b).iterator();
            while (x.hasNext() && y.hasNext()) {
                if (!areAlike(x.next(), y.next())) {
                    return false;
                }
            }
            return !x.hasNext() && !y.hasNext();
        }
        return a == null ? b == null : a.equals(b);
    }
}
