import de.bwaldvogel.mongo.bson.Document;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * How one index answers a query: ranges of it, walked one after the other, or merged when the sort asks for that.
 * As in MongoDB a field behind one that is bound by a range bounds nothing; what it asks is looked up in the entries.
 */
final class Plan {
    private static final int RANGES_MAX = 200; /* so many are merged for a sort */
    private static final int TRIAL_FIRST = 100;
    private static final int TRIAL_LAST = 100_000;

    final OrderedIndex index;
    final boolean sorted;  /* in the order that was asked for */
    final boolean covered; /* no document has to be read */
    private final int bound;       /* leading fields that the filter binds */
    private final boolean selects; /* … at least one of them to less than everything there is */
    private final boolean backwards;
    private final List<Object[][]> ranges = new ArrayList<>();
    private final Bounds[] inEntries; /* by field: what an entry must have, or null */

    private Plan(OrderedIndex index, Query query, Map<String, Bounds> bounds) {
        this.index = index;
        this.inEntries = new Bounds[index.fields.length];
        List<Object[]> prefixes = List.<Object[]>of(new Object[0]);
        int points = 0;
        boolean selects = false;
        while (points < index.fields.length && isPoints(bounds.get(index.fields[points]))) {
            prefixes = extended(prefixes, bounds.get(index.fields[points++]).points);
            selects = true;
        }
        Bounds range = points < index.fields.length ? bounds.get(index.fields[points]) : null;
        int direction = direction(query.sort, points, bounds);
        this.bound = points + (range != null ? 1 : 0);
        this.selects = selects || (range != null && (range.selects() || index.leavesOut()));
        this.backwards = direction < 0;
        this.sorted = query.sort.isEmpty() || (direction != 0 && prefixes.size() <= RANGES_MAX);
        for (Object[] prefix : prefixes) {
            if (range == null) {
                ranges.add(whole(prefix));
            }
            for (Bounds one = range; one != null; one = one.above) {
                ranges.add(between(prefix, one, index.ascending[points]));
            }
        }
        for (int i = 0; i < inEntries.length && !index.holdsArrays; i++) {
            inEntries[i] = i < bound ? null : bounds.get(index.fields[i]);
        }
        this.covered = !index.holdsArrays && query.needed != null && holds(query.needed) && holds(query.filter.keySet());
    }

    private static boolean isPoints(Bounds bounds) {
        return bounds != null && bounds.points != null;
    }

    private boolean holds(Set<String> fields) {
        return new HashSet<>(Arrays.asList(index.fields)).containsAll(fields);
    }

    private static List<Object[]> extended(List<Object[]> prefixes, List<Object> points) {
        List<Object[]> longer = new ArrayList<>();
        for (Object[] prefix : prefixes) {
            for (Object point : points) {
                longer.add(with(prefix, point));
            }
        }
        return longer;
    }

    private static Object[] with(Object[] prefix, Object... more) {
        Object[] all = Arrays.copyOf(prefix, prefix.length + more.length);
        System.arraycopy(more, 0, all, prefix.length, more.length);
        return all;
    }

    private static Object[][] whole(Object[] prefix) {
        return new Object[][] {with(prefix, OrderedIndex.LOWEST), with(prefix, OrderedIndex.HIGHEST)};
    }

    private static Object[][] between(Object[] prefix, Bounds b, boolean ascending) {
        Object first = ascending ? b.low : b.high;
        Object last = ascending ? b.high : b.low;
        boolean firstIn = ascending ? b.lowIncluded : b.highIncluded;
        boolean lastIn = ascending ? b.highIncluded : b.lowIncluded;
        return new Object[][] {with(prefix, first, firstIn ? OrderedIndex.LOWEST : OrderedIndex.HIGHEST),
            with(prefix, last, lastIn ? OrderedIndex.HIGHEST : OrderedIndex.LOWEST)};
    }

    /** 1 or -1: the index, read so, gives the sort; 0: it does not. */
    private int direction(Document sort, int points, Map<String, Bounds> bounds) {
        int found = 0;
        int at = -1; /* the index's field that the sort has reached */
        for (Map.Entry<String, Object> entry : sort.entrySet()) {
            Bounds fixed = bounds.get(entry.getKey());
            if (isPoints(fixed) && fixed.points.size() == 1) {
                continue;
            }
            int next = Arrays.asList(index.fields).indexOf(entry.getKey());
            int wanted = ((Number) entry.getValue()).intValue();
            boolean skipsOnlyPoints = next > at && (next <= Math.max(points, at + 1));
            if (next < 0 || !skipsOnlyPoints) {
                return 0;
            }
            int asked = index.ascending[next] == (wanted > 0) ? 1 : -1;
            if (found != 0 && asked != found) {
                return 0;
            }
            found = asked;
            at = next;
        }
        return found == 0 ? 1 : found;
    }

    /** An index that leaves documents out serves only what asks for no other documents. */
    private static boolean isUsable(OrderedIndex index, Map<String, Bounds> bounds) {
        if (index.partial != null) {
            for (Map.Entry<String, Object> entry : index.partial.entrySet()) {
                Bounds asked = bounds.get(entry.getKey());
                Bounds holds = Bounds.of(new Document(entry.getKey(), entry.getValue())).get(entry.getKey());
                if (asked == null || holds == null || !asked.excludesNull() || !asked.within(holds)) {
                    return false;
                }
            }
        }
        Bounds first = bounds.get(index.fields[0]);
        return !index.omitsMissing() || (first != null && first.excludesNull());
    }

    /** Null: no index serves the query. */
    static Plan best(Query query, List<OrderedIndex> indexes) {
        Map<String, Bounds> bounds = Bounds.of(query.filter);
        List<Plan> plans = new ArrayList<>();
        for (OrderedIndex index : indexes) {
            if (isUsable(index, bounds)) {
                plans.add(new Plan(index, query, bounds));
            }
        }
        plans.removeIf(plan -> !plan.serves(query));
        if (plans.stream().anyMatch(plan -> plan.sorted)) {
            plans.removeIf(plan -> !plan.sorted);
        }
        plans.sort(Comparator.<Plan, Boolean>comparing(plan -> plan.covered).thenComparing(plan -> plan.bound).reversed());
        return plans.size() > 1 ? shortest(plans) : plans.isEmpty() ? null : plans.get(0);
    }

    /** Its filter is bound by the first field; without a filter its order is the one that was asked for. */
    private boolean serves(Query query) {
        return bound > 0 ? selects : query.filter.isEmpty() && !query.sort.isEmpty() && sorted && !index.leavesOut();
    }

    /** As MongoDB tries its candidates. */
    private static Plan shortest(List<Plan> plans) {
        Plan best = plans.get(0);
        for (int upTo = TRIAL_FIRST; upTo <= TRIAL_LAST; upTo *= 10) {
            int least = Integer.MAX_VALUE;
            for (Plan plan : plans) {
                int n = plan.length(upTo);
                if (n < least) {
                    least = n;
                    best = plan;
                }
            }
            if (least < upTo) {
                break;
            }
        }
        return best;
    }

    private int length(int upTo) {
        int n = 0;
        for (Object[][] range : ranges) {
            Iterator<Object[]> entries = index.between(range[0], range[1], false).iterator();
            while (n < upTo && entries.hasNext()) {
                entries.next();
                n++;
            }
        }
        return n;
    }

    Iterator<Object[]> entries(Query query) {
        List<Iterator<Object[]>> parts = new ArrayList<>();
        for (Object[][] range : ranges) {
            parts.add(index.between(range[0], range[1], backwards).iterator());
        }
        if (parts.size() == 1) {
            return parts.get(0);
        }
        return query.sort.isEmpty() || !sorted ? chained(parts) : merged(parts, query.sort);
    }

    boolean fits(Object[] entry) {
        for (int i = bound; i < inEntries.length; i++) {
            if (inEntries[i] != null && !inEntries[i].contains(entry[i])) {
                return false;
            }
        }
        return true;
    }

    private static Iterator<Object[]> chained(List<Iterator<Object[]>> parts) {
        Iterator<Iterator<Object[]>> all = parts.iterator();
        return new Iterator<>() {
            private Iterator<Object[]> now = Collections.emptyIterator();

            @Override
            public boolean hasNext() {
                while (!now.hasNext() && all.hasNext()) {
                    now = all.next();
                }
                return now.hasNext();
            }

            @Override
            public Object[] next() {
                return now.next();
            }
        };
    }

    private Iterator<Object[]> merged(List<Iterator<Object[]>> parts, Document sort) {
        int[] at = sort.keySet().stream().mapToInt(Arrays.asList(index.fields)::indexOf).filter(i -> i >= 0).toArray();
        int[] sign = Arrays.stream(at).map(i -> (index.ascending[i] != backwards) ? 1 : -1).toArray();
        PriorityQueue<Head> heads = new PriorityQueue<>((a, b) -> {
            for (int i = 0; i < at.length; i++) {
                int order = sign[i] * Values.compare(a.entry[at[i]], b.entry[at[i]]);
                if (order != 0) {
                    return order;
                }
            }
            return 0;
        });
        parts.stream().filter(Iterator::hasNext).forEach(part -> heads.add(new Head(part.next(), part)));
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return !heads.isEmpty();
            }

            @Override
            public Object[] next() {
                Head first = heads.remove();
                if (first.rest.hasNext()) {
                    heads.add(new Head(first.rest.next(), first.rest));
                }
                return first.entry;
            }
        };
    }

    private record Head(Object[] entry, Iterator<Object[]> rest) {
    }
}
